//! Composes the catalogue out of the tables of departments and categories, from a fixed seed.
//!
//! The result is committed as `data/catalog.csv`, so that products, prices and ids are plain data to everyone else;
//! a test compares the committed file with this program.

use super::departments::{Category, Departments, Words, departments};
use super::draw::Dice;
use std::collections::HashSet;
use std::fmt::Write;

/// Products of the catalogue.
const PRODUCTS: usize = 9_816;
/// Every category holds at least this many.
const LEAST: usize = 14;
/// The seed of the catalogue. A new one makes another shop.
const SEED: u64 = 2_026;

/// The whole of `data/catalog.csv`.
pub fn compose() -> String {
    let tables = departments();
    let mut dice = Dice::new(SEED, 0);
    let mut ids = HashSet::new();
    let mut out = String::from("id_product,nm_product,nm_category,nm_brand,list_price,rating,stock\n");
    for (index, products) in allot(tables).into_iter().enumerate() {
        let category = &tables.categories[index];
        let mut names = HashSet::new();
        while names.len() < products {
            let z = dice.normal().clamp(-2.6, 2.6);
            let (name, brand) = name(tables, category, z, &mut dice);
            if !names.insert(name.clone()) {
                continue;
            }
            let cents = shelf_price(category.median * libm::exp(category.ln_sd * z));
            let (rating, stock) = (rating(&mut dice), stock(cents, &mut dice));
            let id = id(&mut ids, &mut dice);
            let (units, rest) = (cents / 100, cents % 100);
            writeln!(out, "{id},{name},{},{brand},{units}.{rest:02},{}.{},{stock}", category.name, rating / 10, rating % 10)
                .expect("writing to a string does not fail");
        }
    }
    out
}

/// Products of each category: the popular ones hold more, by the square root; the largest remainders round up.
fn allot(tables: &Departments) -> Vec<usize> {
    let weights: Vec<f64> = (0..tables.categories.len()).map(|c| libm::sqrt(tables.popularity(c))).collect();
    let spare = (PRODUCTS - LEAST * weights.len()) as f64;
    let total: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|w| spare * w / total).collect();
    let mut counts: Vec<usize> = exact.iter().map(|&e| LEAST + e as usize).collect();
    let mut order: Vec<usize> = (0..exact.len()).collect();
    order.sort_by(|&a, &b| (exact[b] % 1.0).total_cmp(&(exact[a] % 1.0)).then(a.cmp(&b)));
    let missing = PRODUCTS - counts.iter().sum::<usize>();
    for &category in &order[..missing] {
        counts[category] += 1;
    }
    counts
}

/// A name and its brand; `z` is the price of the product in standard deviations of its category.
fn name(tables: &Departments, category: &Category, z: f64, dice: &mut Dice) -> (String, &'static str) {
    let department = &tables.departments[category.department];
    let noun = word(&category.nouns, z, dice);
    let style = word(&category.styles, z, dice);
    let variant = word(&category.variants, z, dice);
    let brand = *dice.pick(&department.brands);
    let model = if department.model { model(brand, dice) } else { String::new() };
    let sized = style.split_once(' ').is_some_and(|(number, _)| number.parse::<f64>().is_ok());
    let pack = ["Pack of ", "Set of ", "Box of "].iter().any(|prefix| style.starts_with(prefix));
    let shown = if department.branded { brand } else { "" };
    let words = if pack || (sized && department.sizes_after) {
        [shown, &model, noun, variant, style]
    } else {
        [shown, &model, style, noun, variant]
    };
    (words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" "), brand)
}

/// A word of the list; where the list goes by price, the one at the price's quantile, give or take.
fn word(list: &Words, z: f64, dice: &mut Dice) -> &'static str {
    if !list.by_price {
        return dice.pick::<&'static str>(&list.words);
    }
    let blurred = (z + 0.3 * dice.normal()) / libm::sqrt(1.09);
    let quantile = 0.5 * libm::erfc(-blurred / std::f64::consts::SQRT_2);
    let index = (quantile * list.words.len() as f64) as usize;
    list.words[index.min(list.words.len() - 1)]
}

/// A model code such as `KX-420`.
fn model(brand: &str, dice: &mut Dice) -> String {
    let first = brand.chars().next().filter(char::is_ascii_uppercase).unwrap_or('X');
    let second = char::from(*dice.pick(b"ABCDEFGHKLMNPRSTVX"));
    format!("{first}{second}-{}", 10 * (10 + dice.below(90)))
}

/// Rounds a price to one that a shop would print, in cents.
fn shelf_price(units: f64) -> i64 {
    let cents = |unit: f64, off: i64| ((units / unit + 0.5) as i64).max(1) * (unit * 100.0) as i64 - off;
    match units {
        ..10.0 => cents(0.5, 1),
        10.0..1_000.0 => cents(1.0, 10),
        _ => cents(10.0, 100),
    }
}

/// Tenths of a star: most products please, a few do not.
fn rating(dice: &mut Dice) -> i64 {
    let stars = if dice.chance(0.04) { 1.0 + 2.5 * dice.unit() } else { 4.9 - 0.5 * dice.exponential() };
    ((10.0 * stars + 0.5) as i64).clamp(10, 50)
}

/// Units on the shelf: fewer of what is dear, none of a few.
fn stock(cents: i64, dice: &mut Dice) -> i64 {
    if dice.chance(0.02) {
        return 0;
    }
    let median = 900.0 / libm::pow(cents as f64 / 100.0, 0.4);
    (median * libm::exp(0.8 * dice.normal()) + 1.0) as i64
}

/// Ten characters in the manner of an ASIN.
fn id(taken: &mut HashSet<String>, dice: &mut Dice) -> String {
    loop {
        let tail = (0..8).map(|_| char::from(*dice.pick(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")));
        let id: String = "B0".chars().chain(tail).collect();
        if taken.insert(id.clone()) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shelf_prices() {
        for (units, cents) in [(0.1, 49), (4.3, 449), (9.8, 999), (24.2, 2_390), (349.7, 34_990), (2_404.0, 239_900)] {
            assert_eq!(shelf_price(units), cents, "{units}");
        }
    }

    #[test]
    fn the_committed_catalogue_is_what_this_composes() {
        let committed = include_str!("../../data/catalog.csv");
        assert!(committed == compose(), "run `cargo run -p experiments --bin make_catalog`");
    }
}
