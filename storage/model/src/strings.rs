//! Dictionary of the strings of one batch.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// A string of one [`Strings`]. Meaningless with another dictionary. `Sym::default()` is the empty string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sym(pub u32);

impl Sym {
    /// The empty string, present in every dictionary.
    pub const EMPTY: Sym = Sym(0);

    /// Whether this is the empty string.
    pub fn is_empty(self) -> bool {
        self == Sym::EMPTY
    }
}

/// Strings of a batch, each stored once, in one allocation.
///
/// Symbols are dense and in order of first appearance; symbol 0 is `""`.
#[derive(Clone)]
pub struct Strings {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Default for Strings {
    fn default() -> Self {
        let mut strings =
            Strings { text: String::new(), ends: Vec::new(), table: HashTable::new(), hasher: RandomState::default() };
        strings.intern("");
        strings
    }
}

impl std::fmt::Debug for Strings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Strings {
    /// The symbol of `text`, new if this is its first appearance.
    pub fn intern(&mut self, text: &str) -> Sym {
        let hash = self.hasher.hash_one(text);
        let found = self.table.find(hash, |&at| slice(&self.text, &self.ends, at) == text);
        if let Some(&at) = found {
            return Sym(at);
        }
        let at = self.ends.len() as u32;
        self.text.push_str(text);
        self.ends.push(self.text.len() as u32);
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.table.insert_unique(hash, at, |&at| hasher.hash_one(slice(text, ends, at)));
        Sym(at)
    }

    /// The symbol of `text` if the batch has it.
    pub fn find(&self, text: &str) -> Option<Sym> {
        let hash = self.hasher.hash_one(text);
        self.table.find(hash, |&at| slice(&self.text, &self.ends, at) == text).map(|&at| Sym(at))
    }

    /// The text of a symbol of this dictionary.
    ///
    /// # Panics
    /// With a symbol of another, larger dictionary: a bug of the caller.
    pub fn get(&self, sym: Sym) -> &str {
        slice(&self.text, &self.ends, sym.0)
    }

    /// Number of distinct strings, the empty one included.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Never: the empty string is always present. Here because `len` is.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All strings, in symbol order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u32).map(|at| slice(&self.text, &self.ends, at))
    }

    /// Bytes of text held, for memory accounting.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }
}

fn slice<'a>(text: &'a str, ends: &[u32], at: u32) -> &'a str {
    let at = at as usize;
    let start = if at == 0 { 0 } else { ends[at - 1] as usize };
    &text[start..ends[at] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_one_symbol() {
        let mut strings = Strings::default();
        let a = strings.intern("service.name");
        let b = strings.intern("cart");
        assert_eq!(strings.intern("service.name"), a);
        assert_ne!(a, b);
        assert_eq!(strings.intern(""), Sym::EMPTY);
        assert_eq!(strings.iter().collect::<Vec<_>>(), ["", "service.name", "cart"]);
        assert_eq!(strings.find("cart"), Some(b));
        assert_eq!(strings.find("orders"), None);
    }
}
