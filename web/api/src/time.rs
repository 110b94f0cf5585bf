//! Times and ranges.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Unix nanoseconds or a duration in nanoseconds; a decimal string in JSON. Numbers are accepted when reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^-?[0-9]+$", examples("1763600000000000000")))]
pub struct Nanos(pub i64);

impl Nanos {
    /// As seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl std::fmt::Display for Nanos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Nanos;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("nanoseconds as a decimal string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Nanos, E> {
                text.parse().map(Nanos).map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Nanos, E> {
                Ok(Nanos(value))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Nanos, E> {
                i64::try_from(value)
                    .map(Nanos)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(value), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The range an answer is about, as the server understood it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Range {
    /// First instant inside.
    pub from: Nanos,
    /// First instant after.
    pub to: Nanos,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_are_exact_strings() {
        let json = serde_json::to_string(&Nanos(i64::MAX)).unwrap();
        assert_eq!(json, "\"9223372036854775807\"");
        assert_eq!(serde_json::from_str::<Nanos>(&json).unwrap(), Nanos(i64::MAX));
        assert_eq!(serde_json::from_str::<Nanos>("12").unwrap(), Nanos(12));
        assert!(serde_json::from_str::<Nanos>("\"12 s\"").is_err());
    }
}
