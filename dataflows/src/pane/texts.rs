//! Texts by dense id, one after the other in one piece of memory: whoever walks through the ids walks through the texts.

use std::ops::Range;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Texts {
    all: String,
    /// By id: where its text stands.
    places: Vec<Range<u32>>,
    /// Bytes of `all` that no id means.
    waste: usize,
}

impl Texts {
    /// Ids lie in `0..len()`.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The text of an id.
    #[inline]
    pub fn get(&self, id: u32) -> &str {
        let place = &self.places[id as usize];
        &self.all[place.start as usize..place.end as usize]
    }

    /// The next id gets a text.
    pub fn push(&mut self, text: &str) {
        let place = self.append(text);
        self.places.push(place);
    }

    /// An id gets another text.
    pub fn set(&mut self, id: u32, text: &str) {
        let place = self.append(text);
        self.waste += std::mem::replace(&mut self.places[id as usize], place).len();
        if self.waste > 4096 && self.waste > self.all.len() / 2 {
            let old = std::mem::take(&mut self.all);
            for place in &mut self.places {
                let text = &old[place.start as usize..place.end as usize];
                let from = self.all.len() as u32;
                self.all.push_str(text);
                *place = from..self.all.len() as u32;
            }
            self.waste = 0;
        }
    }

    fn append(&mut self, text: &str) -> Range<u32> {
        let from = self.all.len() as u32;
        self.all.push_str(text);
        from..self.all.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_replaced_and_memory_is_bounded() {
        let mut texts = Texts::default();
        ["", "b", "ação"].iter().for_each(|t| texts.push(t));
        for i in 0..10_000 {
            texts.set(1, &format!("text {i}"));
        }
        assert_eq!([0, 1, 2].map(|id| texts.get(id)), ["", "text 9999", "ação"]);
        assert!(texts.all.len() < 10_000, "{}", texts.all.len());
        texts.set(1, "");
        assert_eq!((texts.len(), texts.get(1), texts.is_empty()), (3, "", false));
    }
}
