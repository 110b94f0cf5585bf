//! Dictionary of the strings of one batch.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// A string of one [`Strings`]. Meaningless with another dictionary. `Sym::default()` is the empty string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sym(pub u32);

impl Sym {
    /// The empty string, present in every dictionary.
    pub const EMPTY: Sym = Sym(0);

    /// Whether this is the empty string.
    #[inline]
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
    #[inline]
    pub fn intern(&mut self, text: &str) -> Sym {
        let hash = self.hash(text.as_bytes());
        self.found(hash, text.as_bytes()).unwrap_or_else(|| self.add(hash, text))
    }

    /// The symbol of `bytes`; `None` if they are not UTF-8. What is known already is not checked again, and in
    /// telemetry nearly everything is.
    #[inline]
    pub fn intern_utf8(&mut self, bytes: &[u8]) -> Option<Sym> {
        let hash = self.hash(bytes);
        match self.found(hash, bytes) {
            Some(sym) => Some(sym),
            None => std::str::from_utf8(bytes).ok().map(|text| self.add(hash, text)),
        }
    }

    #[inline]
    fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    #[inline]
    fn found(&self, hash: u64, bytes: &[u8]) -> Option<Sym> {
        self.table.find(hash, |&at| slice(&self.text, &self.ends, at).as_bytes() == bytes).map(|&at| Sym(at))
    }

    fn add(&mut self, hash: u64, text: &str) -> Sym {
        let at = self.ends.len() as u32;
        self.text.push_str(text);
        self.ends.push(self.text.len() as u32);
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.table.insert_unique(hash, at, |&at| {
            let mut hasher = hasher.build_hasher();
            hasher.write(slice(text, ends, at).as_bytes());
            hasher.finish()
        });
        Sym(at)
    }

    /// The symbol of `text` if the batch has it.
    pub fn find(&self, text: &str) -> Option<Sym> {
        self.found(self.hash(text.as_bytes()), text.as_bytes())
    }

    /// The text of a symbol of this dictionary.
    ///
    /// # Panics
    /// With a symbol of another, larger dictionary: a bug of the caller.
    #[inline]
    pub fn get(&self, sym: Sym) -> &str {
        slice(&self.text, &self.ends, sym.0)
    }

    /// Number of distinct strings, the empty one included.
    #[inline]
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

    /// Gives back memory that growing has taken and nothing fills.
    pub fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// Bytes of text held, for memory accounting.
    #[inline]
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }
}

#[inline]
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
        assert_eq!(strings.intern_utf8(b"cart"), Some(b));
        assert_eq!(strings.intern_utf8(b"\xff"), None);
        assert_eq!(strings.intern_utf8("한".as_bytes()), Some(Sym(3)));
        assert_eq!(strings.len(), 4);
    }
}
