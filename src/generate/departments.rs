//! The readable source of the catalogue: departments and their categories, as the tables in `data/` say.
//!
//! A list that begins with `<` goes from plain to dear: the dearer a product of its category, the later the word it gets.

use std::sync::OnceLock;

const DEPARTMENTS: &str = include_str!("../../data/departments.csv");
const CATEGORIES: &str = include_str!("../../data/categories.csv");

/// A department of the marketplace.
pub(crate) struct Department {
    /// Name, English.
    pub(crate) name: &'static str,
    /// Share of the sales, relative to the other departments.
    pub(crate) share: f64,
    /// Mean units of one sale line.
    pub(crate) units: f64,
    /// Product names carry a model code.
    pub(crate) model: bool,
    /// Product names carry the brand (a book's publisher stands in `nm_brand` only).
    pub(crate) branded: bool,
    /// Sizes such as `500 g` stand at the end of a name, not before the noun.
    pub(crate) sizes_after: bool,
    /// Invented brands.
    pub(crate) brands: Vec<&'static str>,
}

/// A category and how its products are named and priced.
pub(crate) struct Category {
    /// Name, English, unique.
    pub(crate) name: &'static str,
    /// Index of its department.
    pub(crate) department: usize,
    /// Position within its department, the best-selling category first.
    pub(crate) rank: usize,
    /// Median list price in currency units.
    pub(crate) median: f64,
    /// Standard deviation of the natural logarithm of the list price.
    pub(crate) ln_sd: f64,
    /// What the things are called.
    pub(crate) nouns: Words,
    /// What stands before the noun.
    pub(crate) styles: Words,
    /// What stands after it.
    pub(crate) variants: Words,
}

/// A list of words, possibly ordered from plain to dear.
pub(crate) struct Words {
    /// Later words belong to dearer products.
    pub(crate) by_price: bool,
    /// Never empty; may hold one empty word.
    pub(crate) words: Vec<&'static str>,
}

impl Words {
    fn parse(list: &'static str) -> Self {
        let (by_price, list) = list.strip_prefix('<').map_or((false, list), |rest| (true, rest));
        Words { by_price, words: list.split('|').collect() }
    }
}

/// Both tables.
pub(crate) struct Departments {
    /// In the order of their table.
    pub(crate) departments: Vec<Department>,
    /// In the order of theirs, those of one department together.
    pub(crate) categories: Vec<Category>,
}

impl Departments {
    /// How much of all sales a category makes, relative to the others: its department's share, spread so that the
    /// category at rank r of its department weighs 1 / (r + 3).
    pub(crate) fn popularity(&self, category: usize) -> f64 {
        let own = &self.categories[category];
        let weight = |rank: usize| 1.0 / (rank as f64 + 3.0);
        let all: f64 = self.categories.iter().filter(|c| c.department == own.department).map(|c| weight(c.rank)).sum();
        self.departments[own.department].share * weight(own.rank) / all
    }
}

/// The tables, parsed once.
pub(crate) fn departments() -> &'static Departments {
    static TABLES: OnceLock<Departments> = OnceLock::new();
    TABLES.get_or_init(|| parse().expect("the tables are embedded and a test parses them"))
}

fn parse() -> Option<Departments> {
    let mut departments = vec![];
    for line in DEPARTMENTS.lines().skip(1) {
        let [name, share, units, model, branded, sizes, brands] = cells(line)?;
        departments.push(Department {
            name,
            share: share.parse().ok()?,
            units: units.parse().ok()?,
            model: model == "yes",
            branded: branded == "yes",
            sizes_after: sizes == "after",
            brands: brands.split('|').collect(),
        });
    }
    let mut categories: Vec<Category> = vec![];
    for line in CATEGORIES.lines().skip(1) {
        let [department, name, median, ln_sd, nouns, styles, variants] = cells(line)?;
        let department = departments.iter().position(|d| d.name == department)?;
        categories.push(Category {
            name,
            department,
            rank: categories.iter().filter(|c| c.department == department).count(),
            median: median.parse().ok()?,
            ln_sd: ln_sd.parse().ok()?,
            nouns: Words::parse(nouns),
            styles: Words::parse(styles),
            variants: Words::parse(variants),
        });
    }
    Some(Departments { departments, categories })
}

fn cells(line: &'static str) -> Option<[&'static str; 7]> {
    line.split(',').collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_tables_hold_248_categories_with_sensible_prices() {
        let tables = departments();
        assert_eq!(tables.categories.len(), 248);
        assert_eq!(tables.categories.iter().map(|c| c.name).collect::<HashSet<_>>().len(), 248);
        for category in &tables.categories {
            assert!((5.0..10_000.0).contains(&category.median), "{}", category.name);
            assert!((0.2..1.0).contains(&category.ln_sd), "{}", category.name);
        }
        for department in &tables.departments {
            assert!(department.brands.len() >= 5 && department.units >= 1.0, "{}", department.name);
        }
        assert!(tables.categories.is_sorted_by_key(|c| c.department));
        let popularity: f64 = (0..248).map(|c| tables.popularity(c)).sum();
        let shares: f64 = tables.departments.iter().map(|d| d.share).sum();
        assert!((popularity - shares).abs() < 1e-9);
    }
}
