//! Small languages that people write and programs read back: what was read is written so that it reads the same.

use orrery_model::{ServiceKey, SpanId, Strings, TraceId, Value};
use orrery_query::retention::Rule;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Rule>() {
        Ok(rule) => assert_eq!(rule.to_string().parse::<Rule>().as_ref(), Ok(&rule), "{rule}"),
        Err(error) => assert!((1..=text.chars().count() + 1).contains(&error.position), "{error}: {text:?}"),
    }
    let key = ServiceKey::parse(text);
    assert_eq!(ServiceKey::parse(&key.to_string()), key);
    if let Ok(id) = text.parse::<TraceId>() {
        assert!(id.to_string().eq_ignore_ascii_case(text));
    }
    if let Ok(id) = text.parse::<SpanId>() {
        assert!(id.to_string().eq_ignore_ascii_case(text));
    }
    // A value's JSON is stored: written once, it is read and written the same for ever.
    let mut strings = Strings::default();
    let json = |value: Value, strings: &Strings| {
        let mut out = String::new();
        value.to_json(strings, &mut out);
        out
    };
    let written = json(Value::from_json(text, &mut strings), &strings);
    assert_eq!(json(Value::from_json(&written, &mut strings), &strings), written);
    let quoted = Value::String(strings.intern(text));
    assert_eq!(Value::from_json(&json(quoted, &strings), &mut strings), quoted);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let rules = [
        "traces after 3d where service = 'cart' and not error",
        "traces after 1d12h where duration < 250ms and not duration > 1s and namespace != shop",
        "logs after 90m where environment = \"it's\" and http.route = '/cart''s'",
        "metrics after 1w where not namespace != shop and a.b_c = x",
        "traces after 1us where not not error",
    ];
    let others = [
        "shop/cart@prod",
        "a%2Fb/c%40d@100%25",
        "5b8efff798038103d269b633813fc60c",
        "eee19b7ec3c1b174",
        "{\"bytesValue\":\"+/8=\"}",
        "{\"doubleValue\":\"NaN\"}",
        "[1,-2.5e300,\"\\u00e9\\n\",null,true]",
        "-9223372036854775808",
        "1e-7",
        "\"\\ud83d\\ude00\"",
    ];
    rules.iter().chain(&others).map(|text| text.as_bytes().to_vec()).collect()
}

pub(crate) fn words() -> Vec<String> {
    let seeds = seeds();
    let texts = seeds.iter().map(|seed| std::str::from_utf8(seed).unwrap());
    texts
        .flat_map(str::split_whitespace)
        .filter(|word| word.is_ascii() && !word.contains(['\\', '"']))
        .map(str::to_owned)
        .collect()
}
