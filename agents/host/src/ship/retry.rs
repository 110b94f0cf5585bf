//! When to send again, and when to give up. Source: OTLP 1.11, "OTLP/HTTP Response", "OTLP/HTTP Throttling".

use std::time::{Duration, SystemTime};

use hyper::{StatusCode, header};
use rand::RngExt;

use crate::http::Answer;

/// What an answer means for the batch it answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Taken, all but `rejected` items.
    Taken { rejected: u64, message: String },
    /// May be taken later.
    TryAgain { why: String, after: Option<Duration> },
    /// Will never be taken.
    Refused { reason: String, message: String },
}

/// Reads a status as OTLP does. `partial_success` looks into the body of a 2xx.
pub(super) fn judge(answer: &Answer, partial_success: impl FnOnce(&Answer) -> (u64, String)) -> Verdict {
    let status = answer.status;
    if status.is_success() {
        let (rejected, message) = partial_success(answer);
        return Verdict::Taken { rejected, message };
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            Verdict::TryAgain { why: format!("HTTP {status}"), after: retry_after(answer, SystemTime::now()) }
        }
        _ => Verdict::Refused { reason: format!("http_{}", status.as_u16()), message: excerpt(&answer.body) },
    }
}

/// Seconds or an HTTP date (RFC 9110 §10.2.3); a past date is no wait.
fn retry_after(answer: &Answer, now: SystemTime) -> Option<Duration> {
    let value = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The readable characters of a `google.rpc.Status` or of whatever a proxy answered, for a log line.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(300)]);
    text.chars().filter(|c| !c.is_control() && *c != char::REPLACEMENT_CHARACTER).collect()
}

/// Pauses that double from one second to thirty, each shortened at random by up to half, so that a thousand agents
/// do not come back in step.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(30);
    /// A server that asks for more than this is asked again earlier: it may have meant another unit.
    const LONGEST_ASKED: Duration = Duration::from_secs(300);

    /// The next pause. What the server asks for is kept to, plus a little at random.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let mut random = rand::rng();
        if let Some(asked) = asked {
            let asked = asked.min(Self::LONGEST_ASKED);
            return asked + asked.mul_f64(random.random_range(0.0..0.1));
        }
        let longest = Self::FIRST.saturating_mul(1 << self.tries.min(10)).min(Self::LONGEST);
        self.tries += 1;
        longest.mul_f64(random.random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::HeaderMap;

    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        }
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from_static(b"\x12\x03bad") }
    }

    #[test]
    fn statuses_follow_the_table() {
        for status in 200..600 {
            let verdict = judge(&answer(status, None), |_| (0, String::new()));
            match status {
                200..300 => assert!(matches!(verdict, Verdict::Taken { .. }), "{status}"),
                429 | 502 | 503 | 504 => assert!(matches!(verdict, Verdict::TryAgain { .. }), "{status}"),
                _ => assert_eq!(
                    verdict,
                    Verdict::Refused { reason: format!("http_{status}"), message: "bad".to_owned() }
                ),
            }
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        let now = httpdate::parse_http_date("Fri, 20 Nov 2026 09:00:00 GMT").unwrap();
        for (value, expected) in [
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("Fri, 20 Nov 2026 09:00:20 GMT", Some(20)),
            ("Fri, 20 Nov 2026 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let waits = retry_after(&answer(503, Some(value)), now);
            assert_eq!(waits, expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn pauses_grow_stay_bounded_and_differ() {
        let pauses: Vec<Duration> = {
            let mut backoff = Backoff::default();
            (0..40).map(|_| backoff.next(None)).collect()
        };
        assert!(pauses[0] >= Duration::from_millis(500) && pauses[0] <= Duration::from_secs(1));
        assert!(pauses[39] >= Duration::from_secs(15) && pauses.iter().all(|pause| *pause <= Backoff::LONGEST));
        let late: std::collections::BTreeSet<_> = pauses[10..].iter().collect();
        assert!(late.len() > 10, "jitter");
    }

    #[test]
    fn the_servers_wish_is_kept_within_reason() {
        let mut backoff = Backoff::default();
        let pause = backoff.next(Some(Duration::from_secs(10)));
        assert!(pause >= Duration::from_secs(10) && pause < Duration::from_secs(11));
        assert!(backoff.next(Some(Duration::from_secs(1 << 40))) <= Duration::from_secs(330));
    }
}
