//! Hours of some weekdays in a time zone, and the stretches of time that they come to.

use jiff::{
    Timestamp,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};
use postern_protocol::{duration::Span, gate::Stretch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, Refusal};

/// The longest grant that hours may bound: a sidecar is told every stretch of them.
pub(crate) const LONGEST_BOUNDED: Span = Span::from_secs(366 * 86_400);

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Hours of some weekdays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// `mon` … `sun`: the days on which it opens.
    pub days: Vec<String>,
    /// `08:00`
    pub from: String,
    /// `19:00`; earlier than `from`: of the next day; `24:00`: the day's end.
    pub to: String,
    /// `Europe/Paris`
    pub tz: String,
}

/// A window that was read.
struct Hours {
    days: Vec<Weekday>,
    from: Time,
    to: Time,
    /// Whether it closes on the day after.
    overnight: bool,
    zone: TimeZone,
}

impl Window {
    /// Refuses what are no hours.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.read().map(drop)
    }

    fn read(&self) -> Result<Hours, Refusal> {
        let wrong = |field: &str, why: String| Refusal::Invalid(format!("windows.{field}: {why}"));
        let day = |name: &String| {
            let found = DAYS.iter().find(|(known, _)| known == name).map(|(_, day)| *day);
            found.ok_or_else(|| {
                wrong("days", format!("`{name}` is none of mon, tue, wed, thu, fri, sat, sun"))
            })
        };
        let days: Vec<Weekday> = self.days.iter().map(day).collect::<Result<_, _>>()?;
        if days.is_empty() {
            return Err(wrong("days", "name one".to_owned()));
        }
        let clock = |field: &str, text: &str| {
            clock(text).ok_or_else(|| wrong(field, format!("`{text}` is no time such as 08:00")))
        };
        let from = clock("from", &self.from)?;
        let day_ends = self.to == "24:00";
        let to = if day_ends { Time::midnight() } else { clock("to", &self.to)? };
        if from == to && !day_ends {
            return Err(wrong("to", "the same as from: a whole day is 00:00 to 24:00".to_owned()));
        }
        let zone = TimeZone::get(&self.tz)
            .map_err(|_| wrong("tz", format!("`{}` is no time zone such as Europe/Paris", self.tz)))?;
        Ok(Hours { days, from, to, overnight: to <= from, zone })
    }
}

fn clock(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse::<i8>().ok() } else { None }
    };
    Time::new(number(hours)?, number(minutes)?, 0, 0).ok()
}

impl Hours {
    /// The day's stretch, if it has one. An hour that the clocks leave out is taken for the one behind it, one that
    /// comes twice for the first.
    fn on(&self, date: Date) -> Option<Stretch> {
        if !self.days.contains(&date.weekday()) {
            return None;
        }
        let last = if self.overnight { date.tomorrow().ok()? } else { date };
        let instant = |date: Date, time: Time| {
            let zoned = date.to_datetime(time).to_zoned(self.zone.clone()).ok()?;
            Some(zoned.timestamp().as_millisecond())
        };
        Some(Stretch { from: instant(date, self.from)?, to: instant(last, self.to)? })
    }

    fn dates(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Date> {
        let day = |at: Timestamp| at.to_zoned(self.zone.clone()).date();
        let (first, last) = (day(from), day(to));
        let first = first.yesterday().unwrap_or(first);
        std::iter::successors(Some(first), |date| date.tomorrow().ok()).take_while(move |date| *date <= last)
    }
}

/// The stretches of these windows between two moments: in order, apart from one another. A window that cannot be read
/// opens nothing; rules are checked before they are stored.
pub(crate) fn stretches(windows: &[Window], from: Moment, to: Moment) -> Vec<Stretch> {
    let (first, last) = (from.timestamp(), to.timestamp());
    let mut found: Vec<Stretch> = Vec::new();
    for hours in windows.iter().filter_map(|window| window.read().ok()) {
        found.extend(hours.dates(first, last).filter_map(|date| hours.on(date)));
    }
    for stretch in &mut found {
        stretch.from = stretch.from.max(from.as_millis());
        stretch.to = stretch.to.min(to.as_millis());
    }
    found.retain(|stretch| stretch.from < stretch.to);
    found.sort_by_key(|stretch| (stretch.from, stretch.to));
    found.dedup_by(|later, kept| {
        let joined = later.from <= kept.to;
        if joined {
            kept.to = kept.to.max(later.to);
        }
        joined
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[&str], from: &str, to: &str, tz: &str) -> Window {
        let days = days.iter().map(|day| (*day).to_owned()).collect();
        Window { days, from: from.to_owned(), to: to.to_owned(), tz: tz.to_owned() }
    }

    fn at(text: &str) -> Moment {
        text.parse::<Timestamp>().unwrap().into()
    }

    fn shown(windows: &[Window], from: &str, to: &str) -> Vec<(String, String)> {
        let text = |millis| Timestamp::from_millisecond(millis).unwrap().strftime("%d %H:%M").to_string();
        let found = stretches(windows, at(from), at(to));
        found.iter().map(|stretch| (text(stretch.from), text(stretch.to))).collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    const WEEK: [&str; 5] = ["mon", "tue", "wed", "thu", "fri"];
    const ALL: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    #[test]
    fn office_hours_are_those_of_their_own_time_zone() {
        // A Friday in winter.
        let office = [window(&WEEK, "08:00", "19:00", "Europe/Paris")];
        assert_eq!(
            shown(&office, "2026-11-20T06:00:00Z", "2026-11-23T12:00:00Z"),
            pairs(&[("20 07:00", "20 18:00"), ("23 07:00", "23 12:00")])
        );
        assert_eq!(
            shown(&office, "2026-07-10T06:30:00Z", "2026-07-10T20:00:00Z"),
            pairs(&[("10 06:30", "10 17:00")])
        );
        assert!(shown(&office, "2026-11-21T00:00:00Z", "2026-11-22T23:00:00Z").is_empty());
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = [window(&["fri"], "22:00", "06:00", "UTC")];
        assert_eq!(
            shown(&night, "2026-11-20T00:00:00Z", "2026-11-23T00:00:00Z"),
            pairs(&[("20 22:00", "21 06:00")])
        );
        assert_eq!(
            shown(&night, "2026-11-21T05:00:00Z", "2026-11-21T23:00:00Z"),
            pairs(&[("21 05:00", "21 06:00")])
        );
    }

    #[test]
    fn a_night_is_shorter_or_longer_when_the_clocks_change() {
        let night = [window(&ALL, "22:00", "06:00", "Europe/Paris")];
        assert_eq!(
            shown(&night, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
            pairs(&[("28 21:00", "29 04:00")])
        );
        assert_eq!(
            shown(&night, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"),
            pairs(&[("24 20:00", "25 05:00")])
        );
        let left_out = [window(&ALL, "02:30", "04:00", "Europe/Paris")];
        assert_eq!(
            shown(&left_out, "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z"),
            pairs(&[("29 01:30", "29 02:00")])
        );
    }

    #[test]
    fn what_touches_or_overlaps_is_one_stretch() {
        let always = [window(&ALL, "00:00", "24:00", "Europe/Paris")];
        assert_eq!(
            shown(&always, "2026-11-20T06:00:00Z", "2026-11-25T06:00:00Z"),
            pairs(&[("20 06:00", "25 06:00")])
        );
        let two = [window(&ALL, "08:00", "12:00", "UTC"), window(&ALL, "10:00", "14:00", "UTC")];
        assert_eq!(
            shown(&two, "2026-11-20T00:00:00Z", "2026-11-20T23:00:00Z"),
            pairs(&[("20 08:00", "20 14:00")])
        );
    }

    #[test]
    fn what_are_no_hours_is_refused_and_named() {
        for (window, word) in [
            (window(&[], "08:00", "19:00", "UTC"), "windows.days"),
            (window(&["Monday"], "08:00", "19:00", "UTC"), "windows.days"),
            (window(&WEEK, "8:00", "19:00", "UTC"), "windows.from"),
            (window(&WEEK, "24:00", "19:00", "UTC"), "windows.from"),
            (window(&WEEK, "08:00", "19:60", "UTC"), "windows.to"),
            (window(&WEEK, "08:00", "08:00", "UTC"), "windows.to"),
            (window(&WEEK, "08:00", "19:00", "Europe/Atlantis"), "windows.tz"),
        ] {
            assert!(window.check().unwrap_err().to_string().starts_with(word), "{window:?}");
        }
    }
}
