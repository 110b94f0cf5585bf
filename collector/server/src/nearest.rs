//! "Did you mean …?"

/// The candidate that `name` most likely is a slip of the pen for; `None` when nothing is close.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let keys = ["data_dir", "http", "otlp_http", "otlp_grpc", "retention"];
        assert_eq!(nearest("retension", keys.into_iter()), Some("retention"));
        assert_eq!(nearest("data-dir", keys.into_iter()), Some("data_dir"));
        assert_eq!(nearest("otlp-htp", keys.into_iter()), Some("otlp_http"));
        assert_eq!(nearest("colour", keys.into_iter()), None);
    }
}
