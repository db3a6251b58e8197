//! Names to ids, of some sales at once.
//!
//! To intern a name is to read two places, the second of which the first one names, far away from each other and from all else.
//! Sale by sale, with a record to scan in between, a third of the time of decoding went into waiting for them. So sales wait for
//! their ids until some have gathered: the reads of one name do not wait for those of another.

use crate::dictionary::{Dictionaries, Dictionary, identity};
use crate::sale::Sale;

/// So many sales are gathered.
const SOME: usize = 32;

/// The names of a sale: what they are called everywhere, and where they stand in the block.
struct Named {
    keys: [u128; 3],
    places: [(u32, u32); 3],
}

/// The sales that wait for the ids of their names are the last ones of the block.
pub struct Interning<'b> {
    bytes: &'b [u8],
    waiting: Vec<Named>,
}

impl<'b> Interning<'b> {
    /// For the sales of a block.
    pub fn new(bytes: &'b [u8]) -> Interning<'b> {
        Interning { bytes, waiting: Vec::with_capacity(SOME) }
    }

    /// The last sale waits for the ids of its names: seller, product, category.
    #[inline]
    pub fn wait(&mut self, texts: [&str; 3], sales: &mut [Sale], names: &mut Dictionaries) {
        let places = texts.map(|text| self.place(text));
        if places.contains(&None) {
            return self.now(texts, sales, names);
        }
        let keys = texts.map(|text| identity(text.as_bytes()));
        self.waiting.push(Named { keys, places: places.map(Option::unwrap_or_default) });
        if self.waiting.len() == SOME {
            self.settle(sales, names);
        }
    }

    /// Where a text stands in the block; `None` when it was put together elsewhere.
    #[inline]
    fn place(&self, text: &str) -> Option<(u32, u32)> {
        let at = (text.as_ptr() as usize).wrapping_sub(self.bytes.as_ptr() as usize);
        (at < self.bytes.len()).then_some((at as u32, (at + text.len()) as u32))
    }

    /// The last sale does not wait.
    #[cold]
    fn now(&mut self, [seller, product, category]: [&str; 3], sales: &mut [Sale], names: &mut Dictionaries) {
        let Some((last, before)) = sales.split_last_mut() else { return };
        self.settle(before, names);
        let now = names.block;
        last.seller = names.sellers.intern(seller, now);
        last.product = names.products.intern(product, now);
        last.category = names.categories.intern(category, now);
    }

    /// Gives all that wait their ids.
    pub fn settle(&mut self, sales: &mut [Sale], names: &mut Dictionaries) {
        let Dictionaries { sellers, categories, products, block } = names;
        let first = sales.len() - self.waiting.len();
        let sales = &mut sales[first..];
        for (sale, Named { keys, .. }) in sales.iter_mut().zip(&self.waiting) {
            sale.seller = sellers.guess(keys[0]);
            sale.product = products.guess(keys[1]);
            sale.category = categories.guess(keys[2]);
        }
        let (bytes, now) = (self.bytes, *block);
        for (sale, Named { keys, places }) in sales.iter_mut().zip(self.waiting.drain(..)) {
            sale.seller = confirmed(sellers, sale.seller, keys[0], now, bytes, places[0]);
            sale.product = confirmed(products, sale.product, keys[1], now, bytes, places[1]);
            sale.category = confirmed(categories, sale.category, keys[2], now, bytes, places[2]);
        }
    }
}

/// The id of a name, which nearly always is the one that was guessed.
#[inline]
fn confirmed(names: &mut Dictionary, guess: u32, key: u128, now: u64, bytes: &[u8], place: (u32, u32)) -> u32 {
    if names.renew(guess, key, now) { guess } else { search(names, key, now, &bytes[place.0 as usize..place.1 as usize]) }
}

#[cold]
fn search(names: &mut Dictionary, key: u128, now: u64, text: &[u8]) -> u32 {
    // It was text when its place was noted.
    names.search(&String::from_utf8_lossy(text), key, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::Op;

    /// Names that stand in the block, and every seventh time one that does not.
    #[test]
    fn each_sale_gets_the_ids_of_its_own_names() {
        let text: String = (0..1_000).map(|i| format!("{:04}", i % 321)).collect();
        let (mut names, mut sales) = (Dictionaries::default(), vec![]);
        let mut interning = Interning::new(text.as_bytes());
        let elsewhere = "of no block".to_owned();
        let mut expected = vec![];
        for i in 0..900 {
            let word = |n: usize| &text[4 * n..4 * n + 4];
            let texts = [word(i), if i % 7 == 0 { &elsewhere } else { word(i + 1) }, word(i / 100)];
            let (at, customer, price, quantity) = (0, [0, 0], 1, 1);
            let unknown = Sale { at, customer, seller: 0, product: 0, category: 0, price, quantity, op: Op::Sale, payment: 0 };
            sales.push(unknown);
            interning.wait(texts, &mut sales, &mut names);
            expected.push(texts);
        }
        interning.settle(&mut sales, &mut names);
        for (sale, texts) in sales.iter().zip(expected) {
            let found =
                [names.sellers.name(sale.seller), names.products.name(sale.product), names.categories.name(sale.category)];
            assert_eq!(found, texts);
        }
        assert_eq!((names.sellers.len(), names.products.len(), names.categories.len()), (321, 322, 9));
    }
}
