//! Who sells: sixteen invented Brazilian shops, and composed names for as many more as are asked for.

use super::departments::departments;
use super::draw::Dice;

/// A shop of the marketplace.
pub(crate) struct Seller {
    /// Name, unique.
    pub(crate) name: String,
    /// Region of Brazil.
    pub(crate) region: &'static str,
    /// Departments it sells in, as bits; 0 stands for all.
    departments: u64,
}

impl Seller {
    /// Whether it sells in a department.
    pub(crate) fn sells(&self, department: usize) -> bool {
        self.departments == 0 || self.departments >> department & 1 == 1
    }
}

/// Name, region and departments in order of size. The two largest sell everything.
const NAMED: [(&str, &str, &[&str]); 16] = [
    ("Mercado Paulista", "Southeast", &[]),
    ("Casa Mineira", "Southeast", &[]),
    ("Tecno Guanabara", "Southeast", &["Electronics", "Computers", "Phones", "Games", "Large Appliances"]),
    ("Armazém Gaúcho", "South", &["Grocery", "Kitchen", "Home", "Pets", "Garden"]),
    ("Bazar do Cerrado", "Central-West", &["Home", "Kitchen", "Toys", "Office & School", "Tools", "Crafts & Party"]),
    ("Moda Recife Antigo", "Northeast", &["Women's Fashion", "Men's Fashion", "Shoes", "Bags & Jewellery"]),
    ("Eletro Curitiba", "South", &["Large Appliances", "Electronics", "Kitchen", "Phones"]),
    ("Empório Baiano", "Northeast", &["Grocery", "Beauty", "Home"]),
    ("Esportes Iguaçu", "South", &["Sports", "Shoes", "Men's Fashion", "Health"]),
    ("Farmácia Boa Serra", "Southeast", &["Health", "Beauty", "Baby"]),
    ("Livraria Mandacaru", "Northeast", &["Books", "Office & School", "Toys", "Music"]),
    ("Brinquedos Curumim", "Southeast", &["Toys", "Baby", "Games"]),
    ("Autopeças Goiânia", "Central-West", &["Automotive", "Tools"]),
    ("Móveis Serra Gaúcha", "South", &["Furniture", "Home"]),
    ("Pet Amazônia", "North", &["Pets", "Garden"]),
    ("Ateliê Marajó", "North", &["Crafts & Party", "Bags & Jewellery", "Music", "Home"]),
];

const KINDS: [&str; 20] = [
    "Loja",
    "Casa",
    "Empório",
    "Bazar",
    "Armazém",
    "Magazine",
    "Comercial",
    "Ponto",
    "Distribuidora",
    "Mercado",
    "Galeria",
    "Central",
    "Depósito",
    "Varejão",
    "Oficina",
    "Estação",
    "Feira",
    "Recanto",
    "Cantinho",
    "Mundo",
];

const WORDS: [&str; 36] = [
    "Aurora",
    "Bela Vista",
    "Boa Esperança",
    "Campo Verde",
    "Canto do Mar",
    "Estrela",
    "Girassol",
    "Ipê",
    "Jacarandá",
    "Jangada",
    "Lua Nova",
    "Maracujá",
    "Monte Alegre",
    "Nova Era",
    "Ouro Velho",
    "Paineira",
    "Pedra Azul",
    "Pitanga",
    "Porto Novo",
    "Primavera",
    "Quatro Ventos",
    "Rio Claro",
    "Rosa dos Ventos",
    "Sabiá",
    "Santa Clara",
    "São Bento",
    "Serra Azul",
    "Sete Lagoas",
    "Sol Poente",
    "Tangará",
    "Tucano",
    "Três Marias",
    "Umbuzeiro",
    "Vale Verde",
    "Vila Rica",
    "Vitória-Régia",
];

const PLACES: [(&str, &str); 25] = [
    ("de São Paulo", "Southeast"),
    ("de Campinas", "Southeast"),
    ("do Rio", "Southeast"),
    ("de Niterói", "Southeast"),
    ("de Belo Horizonte", "Southeast"),
    ("de Uberlândia", "Southeast"),
    ("de Vitória", "Southeast"),
    ("de Santos", "Southeast"),
    ("de Ribeirão Preto", "Southeast"),
    ("de Curitiba", "South"),
    ("de Londrina", "South"),
    ("de Porto Alegre", "South"),
    ("de Caxias do Sul", "South"),
    ("de Florianópolis", "South"),
    ("de Joinville", "South"),
    ("de Salvador", "Northeast"),
    ("do Recife", "Northeast"),
    ("de Fortaleza", "Northeast"),
    ("de Natal", "Northeast"),
    ("de São Luís", "Northeast"),
    ("de Brasília", "Central-West"),
    ("de Goiânia", "Central-West"),
    ("de Cuiabá", "Central-West"),
    ("de Manaus", "North"),
    ("de Belém", "North"),
];

/// The first `n` sellers in order of size.
pub(crate) fn sellers(n: usize, dice: &mut Dice) -> Vec<Seller> {
    let tables = departments();
    let bit = |name: &str| tables.departments.iter().position(|d| d.name == name).map_or(0, |d| 1 << d);
    let named = NAMED.iter().map(|&(name, region, sold)| Seller {
        name: name.to_string(),
        region,
        departments: sold.iter().fold(0, |bits, name| bits | bit(name)),
    });
    let composed = (0..n.saturating_sub(NAMED.len())).map(|index| {
        let mut sold = 0;
        for _ in 0..1 + dice.below(3) {
            sold |= 1 << dice.below(tables.departments.len() as u64);
        }
        let (name, region) = composed(index);
        Seller { name, region, departments: sold }
    });
    named.take(n).chain(composed).collect()
}

/// A name for each index; steps that share no factor with the number of names visit each name once before any comes back
/// with a number.
fn composed(index: usize) -> (String, &'static str) {
    let all = KINDS.len() * WORDS.len() * PLACES.len();
    let spot = (index % all * 7_919) % all;
    let (place, region) = PLACES[spot % PLACES.len()];
    let word = WORDS[spot / PLACES.len() % WORDS.len()];
    let kind = KINDS[spot / PLACES.len() / WORDS.len()];
    let round = index / all;
    let number = if round == 0 { String::new() } else { format!(" {}", round + 1) };
    (format!("{kind} {word} {place}{number}"), region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_the_departments_exist() {
        let all = sellers(40_000, &mut Dice::new(1, 0));
        assert_eq!(all.iter().map(|s| s.name.as_str()).collect::<HashSet<_>>().len(), 40_000);
        assert!(all.iter().all(|s| s.name.len() <= 128 && !s.name.contains(['"', '\\', ','])));
        for (_, _, sold) in NAMED {
            assert!(sold.iter().all(|name| departments().departments.iter().any(|d| d.name == *name)), "{sold:?}");
        }
        for department in 0..departments().departments.len() {
            assert!(all[..16].iter().filter(|s| s.sells(department)).count() >= 3);
        }
    }
}
