//! A tolerant pull reader of JSON over bytes: no tree, and no recursion where the sender chooses the depth.

use super::Stop;
use std::borrow::Cow;

/// Why a value was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// Not JSON, at this byte. Nothing more can be read.
    Syntax(usize),
    /// JSON, but not what the field takes. The value has been skipped; reading can go on.
    Mismatch,
}

type Result<T> = std::result::Result<T, JsonError>;

/// What a value is, seen from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// A position in a JSON text.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether some text was not UTF-8, or held a lone surrogate, since this was last asked.
    repaired: u64,
}

impl<'a> Reader<'a> {
    /// Starts behind a byte order mark, if there is one.
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        let at = if bytes.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        Reader { bytes, at, repaired: 0 }
    }

    /// How many texts had to be repaired since this was last asked.
    pub(super) fn take_repaired(&mut self) -> u64 {
        std::mem::take(&mut self.repaired)
    }

    /// Checks that nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<()> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { self.syntax() }
    }

    pub(super) fn kind(&mut self) -> Result<Kind> {
        self.space();
        Ok(match self.bytes.get(self.at) {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => return self.syntax(),
        })
    }

    /// Opens an object and calls `each` behind every key; `each` must consume the value. `null` has no keys.
    pub(super) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> std::result::Result<(), Stop>,
    ) -> std::result::Result<(), Stop> {
        if !self.open(Kind::Object)? {
            return Ok(());
        }
        let mut first = true;
        while self.more(b'}', &mut first)? {
            if self.kind()? != Kind::String {
                return Err(JsonError::Syntax(self.at).into());
            }
            let key = self.string_here()?;
            self.space();
            self.expect(b':')?;
            each(self, &key)?;
        }
        Ok(())
    }

    /// Opens an array and calls `each` before every element; `each` must consume it. `null` has none.
    pub(super) fn array(
        &mut self,
        mut each: impl FnMut(&mut Self) -> std::result::Result<(), Stop>,
    ) -> std::result::Result<(), Stop> {
        if !self.open(Kind::Array)? {
            return Ok(());
        }
        let mut first = true;
        while self.more(b']', &mut first)? {
            each(self)?;
        }
        Ok(())
    }

    /// Whether an object or array was opened: not when the value is `null`.
    fn open(&mut self, wanted: Kind) -> Result<bool> {
        match self.kind()? {
            Kind::Null => self.skip().map(|()| false),
            kind if kind == wanted => {
                self.at += 1;
                Ok(true)
            }
            _ => self.mismatch(),
        }
    }

    /// Whether another element follows; passes the comma before it or the closing byte.
    fn more(&mut self, close: u8, first: &mut bool) -> Result<bool> {
        self.space();
        if self.bytes.get(self.at) == Some(&close) {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// Text; `None` for `null`.
    pub(super) fn string(&mut self) -> Result<Option<Cow<'a, str>>> {
        match self.kind()? {
            Kind::Null => self.skip().map(|()| None),
            Kind::String => self.string_here().map(Some),
            _ => self.mismatch(),
        }
    }

    pub(super) fn bool(&mut self) -> Result<Option<bool>> {
        match self.kind()? {
            Kind::Null => self.skip().map(|()| None),
            Kind::Bool => {
                let value = self.bytes[self.at] == b't';
                self.literal(if value { b"true" } else { b"false" })?;
                Ok(Some(value))
            }
            _ => self.mismatch(),
        }
    }

    /// A whole number, bare or quoted, also as `1.0` or `1e3`; `None` for `null`.
    pub(super) fn integer<T: TryFrom<i128>>(&mut self) -> Result<Option<T>> {
        let Some(text) = self.number_text()? else { return Ok(None) };
        let number = whole(&text).and_then(|number| T::try_from(number).ok());
        number.map(Some).ok_or(JsonError::Mismatch)
    }

    /// A double, bare or quoted, or `"NaN"`, `"Infinity"`, `"-Infinity"`; `None` for `null`.
    pub(super) fn double(&mut self) -> Result<Option<f64>> {
        let Some(text) = self.number_text()? else { return Ok(None) };
        let number = match &*text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text if is_number(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        number.map(Some).ok_or(JsonError::Mismatch)
    }

    /// An enum: an integer, or one of the names the protocol forbids and some send. Unknown names are 0.
    pub(super) fn enumeration(&mut self, names: &[(&str, i32)]) -> Result<Option<i32>> {
        self.enumeration_by(|text| names.iter().find(|(name, _)| *name == text).map_or(0, |(_, number)| *number))
    }

    /// The same, with the names as a function.
    pub(super) fn enumeration_by(&mut self, number: impl Fn(&str) -> i32) -> Result<Option<i32>> {
        let Some(text) = self.number_text()? else { return Ok(None) };
        if let Some(whole) = whole(&text) {
            return i32::try_from(whole).map(Some).map_err(|_| JsonError::Mismatch);
        }
        Ok(Some(number(&text)))
    }

    /// The text of a number or string; `None` for `null`.
    fn number_text(&mut self) -> Result<Option<Cow<'a, str>>> {
        match self.kind()? {
            Kind::Null => self.skip().map(|()| None),
            Kind::String => self.string_here().map(Some),
            Kind::Number => self.number_here().map(|text| Some(Cow::Borrowed(text))),
            _ => self.mismatch(),
        }
    }

    /// Passes one value of any kind and depth.
    pub(super) fn skip(&mut self) -> Result<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.kind()? {
                kind @ (Kind::Object | Kind::Array) => {
                    self.at += 1;
                    open.push(if kind == Kind::Object { b'}' } else { b']' });
                    self.space();
                    if self.bytes.get(self.at) != open.last() {
                        self.key(&open)?;
                        continue;
                    }
                }
                Kind::String => self.pass_string().map(drop)?,
                Kind::Number => self.number_here().map(drop)?,
                Kind::Bool if self.bytes[self.at] == b't' => self.literal(b"true")?,
                Kind::Bool => self.literal(b"false")?,
                Kind::Null => self.literal(b"null")?,
            }
            if !self.unwind(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Behind a value: closes what closes, and stands before the next value. `false` when nothing is open.
    fn unwind(&mut self, open: &mut Vec<u8>) -> Result<bool> {
        loop {
            let Some(&close) = open.last() else { return Ok(false) };
            self.space();
            if self.bytes.get(self.at) == Some(&close) {
                self.at += 1;
                open.pop();
                continue;
            }
            self.expect(b',')?;
            self.key(open)?;
            return Ok(true);
        }
    }

    /// Inside an object, passes the key and colon.
    fn key(&mut self, open: &[u8]) -> Result<()> {
        if open.last() == Some(&b'}') {
            self.space();
            if self.bytes.get(self.at) != Some(&b'"') {
                return self.syntax();
            }
            self.pass_string()?;
            self.space();
            self.expect(b':')?;
        }
        Ok(())
    }

    fn mismatch<T>(&mut self) -> Result<T> {
        self.skip()?;
        Err(JsonError::Mismatch)
    }

    fn syntax<T>(&self) -> Result<T> {
        Err(JsonError::Syntax(self.at))
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.bytes.get(self.at) != Some(&byte) {
            return self.syntax();
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, text: &[u8]) -> Result<()> {
        if !self.bytes[self.at..].starts_with(text) {
            return self.syntax();
        }
        self.at += text.len();
        Ok(())
    }

    fn number_here(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let length =
            rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')).count();
        let text = std::str::from_utf8(&rest[..length]).expect("digits and signs are ASCII");
        if !is_number(text) {
            return self.syntax();
        }
        self.at += length;
        Ok(text)
    }

    /// Passes a string; returns what is between the quotes, and whether it holds escapes.
    fn pass_string(&mut self) -> Result<(&'a [u8], bool)> {
        let start = self.at + 1;
        let mut at = start;
        let mut escapes = false;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b'"' => {
                    self.at = at + 1;
                    return Ok((&self.bytes[start..at], escapes));
                }
                b'\\' => {
                    escapes = true;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        Err(JsonError::Syntax(self.bytes.len()))
    }

    fn string_here(&mut self) -> Result<Cow<'a, str>> {
        let start = self.at;
        let (raw, escapes) = self.pass_string()?;
        let text = String::from_utf8_lossy(raw);
        self.repaired += u64::from(matches!(text, Cow::Owned(_)));
        if !escapes {
            return Ok(text);
        }
        let (text, lone) = unescape(&text).ok_or(JsonError::Syntax(start))?;
        self.repaired += u64::from(lone);
        Ok(Cow::Owned(text))
    }
}

/// Text without escapes, and whether it held a lone surrogate (now U+FFFD). `None`: not an escape.
fn unescape(text: &str) -> Option<(String, bool)> {
    let (mut out, mut lone) = (String::with_capacity(text.len()), false);
    let mut parts = text.split('\\');
    out.push_str(parts.next()?);
    let mut high: Option<u16> = None;
    while let Some(part) = parts.next() {
        let unit = part.strip_prefix('u').map(|rest| {
            let digits = rest.get(..4)?;
            let unit =
                digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?;
            Some((unit?, &rest[4..]))
        });
        let paired = matches!(unit, Some(Some((0xdc00..=0xdfff, _))));
        if high.is_some() && !paired {
            out.push('\u{fffd}');
            (high, lone) = (None, true);
        }
        let rest = match unit {
            Some(unit) => {
                let (unit, rest) = unit?;
                match (high.take(), unit) {
                    (Some(high), low) => out.extend(char::decode_utf16([high, low]).flatten()),
                    (None, 0xd800..=0xdbff) if rest.is_empty() => high = Some(unit),
                    (None, unit) => {
                        let c = char::from_u32(unit.into());
                        lone |= c.is_none();
                        out.push(c.unwrap_or('\u{fffd}'));
                    }
                }
                rest
            }
            // `\\`: the split leaves an empty part, and the text behind it is plain.
            None if part.is_empty() => {
                out.push('\\');
                parts.next().unwrap_or_default()
            }
            None => {
                out.push(match part.as_bytes()[0] {
                    b'"' => '"',
                    b'/' => '/',
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    _ => return None,
                });
                &part[1..]
            }
        };
        out.push_str(rest);
    }
    if high.is_some() {
        out.push('\u{fffd}');
        lone = true;
    }
    Some((out, lone))
}

/// JSON's grammar of numbers, but leading zeros are forgiven.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole) && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}

/// A number without fraction.
fn whole(text: &str) -> Option<i128> {
    if !is_number(text) {
        return None;
    }
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() < 2f64.powi(100)).then_some(number as i128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_in_every_spelling() {
        let integer = |text: &str| Reader::new(text.as_bytes()).integer::<u64>();
        for (text, expected) in [
            ("18446744073709551615", Ok(Some(u64::MAX))),
            ("\"18446744073709551615\"", Ok(Some(u64::MAX))),
            ("1e3", Ok(Some(1000))),
            ("1.0", Ok(Some(1))),
            ("\"1.0\"", Ok(Some(1))),
            ("null", Ok(None)),
            ("1.5", Err(JsonError::Mismatch)),
            ("-1", Err(JsonError::Mismatch)),
            ("18446744073709551616", Err(JsonError::Mismatch)),
            ("\"\"", Err(JsonError::Mismatch)),
            ("{\"a\":[1,2,{}]}", Err(JsonError::Mismatch)),
            ("1.", Err(JsonError::Syntax(0))),
            ("+1", Err(JsonError::Syntax(0))),
            ("tru", Err(JsonError::Syntax(0))),
        ] {
            assert_eq!(integer(text), expected, "{text}");
        }
    }

    #[test]
    fn escapes() {
        for (json, text, repaired) in [
            (r#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t", 0),
            (r#""\\u0041""#, "\\u0041", 0),
            (r#""\\\\n""#, "\\\\n", 0),
            (r#""\u0041\u00e9\ud83d\ude00""#, "Aé😀", 0),
            (r#""\ud83d""#, "\u{fffd}", 1),
            (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}", 1),
            (r#""\ud83d\n""#, "\u{fffd}\n", 1),
        ] {
            let mut reader = Reader::new(json.as_bytes());
            assert_eq!(reader.string().unwrap().unwrap(), text, "{json}");
            assert_eq!(reader.take_repaired(), repaired, "{json}");
            reader.end().unwrap();
        }
        for json in [r#""\x""#, r#""\u12""#, r#""\u+123""#, r#""open"#, r#""\"#] {
            assert!(matches!(Reader::new(json.as_bytes()).string(), Err(JsonError::Syntax(_))), "{json}");
        }
    }

    #[test]
    fn skipping_does_not_recurse() {
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        let mut reader = Reader::new(&deep);
        reader.skip().unwrap();
        reader.end().unwrap();
    }

    proptest! {
        /// serde_json accepts it: so do we, to the same byte.
        #[test]
        fn skips_what_serde_accepts(value in any_json()) {
            let text = value.to_string();
            let mut reader = Reader::new(text.as_bytes());
            reader.skip().unwrap();
            reader.end().unwrap();
            for cut in 1..text.len() {
                let mut reader = Reader::new(&text.as_bytes()[..cut]);
                let whole = reader.skip().and_then(|()| reader.end());
                prop_assert_eq!(whole.is_ok(), serde_json::from_slice::<serde_json::Value>(&text.as_bytes()[..cut]).is_ok());
            }
        }

        #[test]
        fn strings_are_those_of_serde(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Reader::new(json.as_bytes()).string().unwrap().unwrap(), text);
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "[a-z\"\\\\\n]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map("[a-z]{0,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
