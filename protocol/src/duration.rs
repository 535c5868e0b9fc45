//! Durations as people write them: `30m`, `2h`, `1d`.
//!
//! The CLI, Slack, REST and the configuration files all read and print this one form.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time, read from `90s`, `30m`, `2h`, `1d`, `1w` or a sum such as `1h30m`.
///
/// A JSON or TOML number is taken as seconds. Fractions and signs are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

/// Why a text is not a [`Span`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    /// Nothing was written.
    #[error("a duration is missing: write a number and a unit, such as 30m, 2h or 1d")]
    Empty,
    /// Something other than numbers followed by `s`, `m`, `h`, `d` or `w`.
    #[error("`{0}` is no duration: write a number and a unit, such as 30m, 2h or 1d")]
    Malformed(String),
    /// More than [`Span::MAX`].
    #[error("`{0}` is longer than ten years")]
    TooLong(String),
}

const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Span {
    /// The longest span that is accepted: ten years of 365 days.
    pub const MAX: Self = Self(Duration::from_hours(10 * 365 * 24));

    /// A span of whole seconds, at most [`Span::MAX`].
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        let span = Duration::from_secs(seconds);
        if span.as_secs() > Self::MAX.0.as_secs() { Self::MAX } else { Self(span) }
    }

    /// The span in whole seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// The span as the standard library has it.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidSpan::Empty);
        }
        let malformed = || InvalidSpan::Malformed(text.to_owned());
        let too_long = || InvalidSpan::TooLong(text.to_owned());
        let (mut total, mut number, mut largest_left) = (0_u64, None::<u64>, UNITS.len());
        for letter in text.chars() {
            if let Some(digit) = letter.to_digit(10) {
                let next = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(digit.into()));
                number = Some(next.ok_or_else(too_long)?);
                continue;
            }
            let unit = UNITS.iter().position(|(name, _)| *name == letter).ok_or_else(malformed)?;
            let descending = largest_left == UNITS.len() || unit > largest_left;
            if !descending {
                return Err(malformed());
            }
            largest_left = unit;
            let count = number.take().ok_or_else(malformed)?;
            let seconds =
                UNITS.get(unit).and_then(|(_, size)| count.checked_mul(*size)).ok_or_else(too_long)?;
            total = total.checked_add(seconds).ok_or_else(too_long)?;
        }
        if number.is_some() {
            return Err(malformed());
        }
        if total > Self::MAX.as_secs() {
            return Err(too_long());
        }
        Ok(Self::from_secs(total))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.as_secs();
        if left == 0 {
            return out.write_str("0s");
        }
        for (name, size) in UNITS.iter().filter(|(name, _)| *name != 'w') {
            if left >= *size {
                write!(out, "{}{name}", left / size)?;
                left %= size;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Span;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a duration such as \"30m\", \"2h\" or \"1d\", or a number of seconds")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Span, E> {
                if seconds > Span::MAX.as_secs() {
                    return Err(E::custom(InvalidSpan::TooLong(seconds.to_string())));
                }
                Ok(Span::from_secs(seconds))
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Span, E> {
                let seconds = u64::try_from(seconds)
                    .map_err(|_| E::custom(InvalidSpan::Malformed(seconds.to_string())))?;
                self.visit_u64(seconds)
            }
        }
        from.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_and_sums_of_them_are_read() {
        for (text, seconds) in
            [("45s", 45), ("30m", 1_800), ("2h", 7_200), ("1d", 86_400), ("1w", 604_800), ("1h30m", 5_400)]
        {
            assert_eq!(text.parse::<Span>().unwrap().as_secs(), seconds, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            " ",
            "5",
            "h",
            "2x",
            "-1h",
            "1.5h",
            "30m1h",
            "1h1h",
            "99999999999999999999h",
            "1h 30m",
            "4000d",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for seconds in [0, 1, 59, 60, 3_600, 5_400, 86_400, 90_061] {
            let span = Span::from_secs(seconds);
            assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
    }

    #[test]
    fn json_takes_text_and_seconds_but_nothing_negative() {
        assert_eq!(serde_json::from_str::<Span>("\"2h\"").unwrap().as_secs(), 7_200);
        assert_eq!(serde_json::from_str::<Span>("7200").unwrap().as_secs(), 7_200);
        assert!(serde_json::from_str::<Span>("-1").is_err());
    }
}
