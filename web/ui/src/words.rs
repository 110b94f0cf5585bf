//! Everything the dashboard says, in both languages.
//!
//! A phrase is a constant of [`say`]: a missing key does not compile, and neither does a missing translation. Words in
//! braces are filled in by [`tf`]; a test checks that both languages have the same ones.

use std::sync::atomic::{AtomicU8, Ordering};

/// A table of phrases: a module with a constant each.
macro_rules! phrases {
    ($module:ident: $($name:ident $en:literal $ko:literal;)*) => {
        /// Phrases of the dashboard.
        #[allow(missing_docs, reason = "the phrase is its own documentation")]
        pub mod $module {
            use super::Phrase;
            $(pub const $name: Phrase = Phrase { en: $en, ko: $ko };)*
        }

        /// Every phrase with its name.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, Phrase)] = &[$((stringify!($name), $module::$name)),*];
    };
}

mod alerts;
mod table;

pub use alerts::tell;
pub use table::say;

/// A language of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Korean.
    Korean,
}

impl Language {
    /// BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Korean => "ko",
        }
    }

    /// The language of a tag; English unless it begins with `ko`.
    pub fn of(tag: &str) -> Language {
        if tag.starts_with("ko") { Language::Korean } else { Language::English }
    }
}

/// One thing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// English.
    pub en: &'static str,
    /// Korean.
    pub ko: &'static str,
}

static LANGUAGE: AtomicU8 = AtomicU8::new(0);

/// Chooses the language of [`t`] and [`tf`]. What is on the page already has to be drawn again.
pub fn set_language(language: Language) {
    LANGUAGE.store(language as u8, Ordering::Relaxed);
}

/// The language in use.
pub fn language() -> Language {
    if LANGUAGE.load(Ordering::Relaxed) == Language::Korean as u8 { Language::Korean } else { Language::English }
}

/// A phrase in the language in use.
pub fn t(phrase: Phrase) -> &'static str {
    match language() {
        Language::English => phrase.en,
        Language::Korean => phrase.ko,
    }
}

/// A phrase with its `{words}` filled in.
pub fn tf(phrase: Phrase, words: &[(&str, &str)]) -> String {
    words.iter().fold(t(phrase).to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(text: &str) -> Vec<&str> {
        let mut found: Vec<&str> = text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn both_languages_say_the_same() {
        for (name, phrase) in table::ALL.iter().chain(alerts::ALL) {
            assert!(!phrase.en.is_empty() && !phrase.ko.is_empty(), "{name} is empty");
            assert_eq!(placeholders(phrase.en), placeholders(phrase.ko), "{name}");
        }
    }

    #[test]
    fn words_are_filled_in() {
        assert_eq!(tf(say::SECONDS_AGO, &[("n", "5")]), "5 s ago");
    }
}
