//! The catalogue as the generator reads it: `data/catalog.csv`, embedded, so that generating needs no file.

use std::ops::Range;
use std::sync::OnceLock;

const CATALOGUE: &str = include_str!("../../data/catalog.csv");

/// A product of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Ten characters in the manner of an ASIN, unique.
    pub id: &'static str,
    /// Name, free of commas and quotes.
    pub name: &'static str,
    /// Category, free of commas and quotes.
    pub category: &'static str,
    /// Brand, or the publisher of a book.
    pub brand: &'static str,
    /// List price in cents.
    pub list_price: i64,
    /// Mean rating in tenths of a star, 10..=50.
    pub rating: u8,
}

/// All products, those of one category together.
pub fn catalogue() -> &'static [Product] {
    static PRODUCTS: OnceLock<Vec<Product>> = OnceLock::new();
    PRODUCTS.get_or_init(|| {
        let products: Option<Vec<Product>> = CATALOGUE.lines().skip(1).map(product).collect();
        products.expect("the catalogue is embedded and a test parses it")
    })
}

/// Each category with the range of its products, in the order of the catalogue.
pub(crate) fn categories() -> Vec<(&'static str, Range<usize>)> {
    let mut categories: Vec<(&'static str, Range<usize>)> = vec![];
    for (index, product) in catalogue().iter().enumerate() {
        match categories.last_mut() {
            Some((name, range)) if *name == product.category => range.end = index + 1,
            _ => categories.push((product.category, index..index + 1)),
        }
    }
    categories
}

fn product(line: &'static str) -> Option<Product> {
    let [id, name, category, brand, price, rating, _stock] = line.split(',').collect::<Vec<_>>().try_into().ok()?;
    let hundredths = |text: &str| text.replace('.', "").parse::<i64>().ok();
    Some(Product { id, name, category, brand, list_price: hundredths(price)?, rating: hundredths(rating)?.try_into().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn holds_what_the_readme_says() {
        let products = catalogue();
        assert_eq!((products.len(), categories().len()), (9_816, 248));
        assert_eq!(products.iter().map(|p| p.id).collect::<HashSet<_>>().len(), 9_816);
        for product in products {
            assert_eq!(product.id.len(), 10);
            assert!((10..=50).contains(&product.rating), "{product:?}");
            assert!((1..=4_000_000).contains(&product.list_price), "{product:?}");
            assert!(!product.name.contains(['"', '\\', '<', '|']) && !product.name.contains("  "), "{product:?}");
        }
    }

    #[test]
    fn prices_are_log_normal_around_the_median_of_their_category() {
        let tables = super::super::departments::departments();
        for ((name, range), category) in categories().into_iter().zip(&tables.categories) {
            assert_eq!(name, category.name);
            let logs: Vec<f64> = catalogue()[range].iter().map(|p| libm::log(p.list_price as f64 / 100.0)).collect();
            let n = logs.len() as f64;
            let mean = logs.iter().sum::<f64>() / n;
            let off = (mean - libm::log(category.median)) / (category.ln_sd / libm::sqrt(n));
            assert!(off.abs() < 4.0, "{name}: the mean is {off} standard errors off");
        }
    }
}
