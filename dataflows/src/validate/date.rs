//! Text to event time, in milliseconds since the Unix epoch.
//!
//! Nearly all dates of a block fall on one day, and many into one minute, so these are worked out once and the rest is arithmetic
//! on digits. The zone of a time that names none is asked once a day too: when the offset at both ends of the day is the same, it
//! holds all day.

use crate::schema::Schema;
use chrono::format::{Item, Parsed, StrftimeItems};
use chrono::{DateTime, MappedLocalTime, NaiveDateTime, NaiveTime, Offset, TimeZone};
use chrono_tz::Tz;

const DAY: i64 = 86_400_000;

/// Why a text is no event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadDate {
    /// Not a date in any form that is accepted.
    Unreadable,
    /// A local time that the clocks skipped.
    Skipped,
}

/// Reads dates; remembers the day.
pub(crate) struct Dates {
    zone: Tz,
    formats: Vec<Vec<Item<'static>>>,
    /// The last day, as written, and its milliseconds as if in UTC.
    day: ([u8; 10], i64),
    /// The last minute, as `2026-01-31T10:00:`, and its milliseconds as if in UTC.
    minute: ([u8; 17], i64),
    /// The last local day and its offset, `None` when it changes that day.
    offset: (i64, Option<i64>),
}

/// A date as written: milliseconds as if in UTC, and the offset in milliseconds when it names one.
struct Written {
    local: i64,
    offset: Option<i64>,
}

impl Dates {
    pub fn new(schema: &Schema) -> Dates {
        let formats = schema.date_formats.iter().filter_map(|format| items(format).ok()).collect();
        Dates {
            zone: schema.zone,
            formats,
            day: (*b"1970-01-01", 0),
            minute: (*b"1970-01-01T00:00:", 0),
            offset: (i64::MIN, None),
        }
    }

    /// Milliseconds since the epoch. A time that names its zone is read as RFC 3339; one that does not is tried with the
    /// settings' formats first, so that a format of theirs is never mistaken for another.
    #[inline]
    pub fn parse(&mut self, text: &str) -> Result<i64, BadDate> {
        if let Some(at) = self.same_minute(text.as_bytes()) {
            return Ok(at);
        }
        let written = self.written(text.trim_ascii().as_bytes());
        match written {
            Some(Written { local, offset: Some(offset) }) => Ok(local - offset),
            _ if !self.formats.is_empty() => self.formatted(text, written),
            Some(Written { local, .. }) => self.resolve(local),
            None => Err(BadDate::Unreadable),
        }
    }

    /// A date such as `2026-01-31T10:00:59.999Z` in the minute of the last one.
    #[inline]
    fn same_minute(&self, b: &[u8]) -> Option<i64> {
        let (minute, rest) = b.split_first_chunk::<17>()?;
        let [s1, s2, b'.', m1, m2, m3, b'Z'] = *rest else { return None };
        if *minute != self.minute.0 {
            return None;
        }
        let (second, milli) = (pair(s1, s2)?, digit(m1)? * 100 + pair(m2, m3)?);
        (second < 60).then_some(self.minute.1 + second * 1000 + milli)
    }

    fn formatted(&mut self, text: &str, written: Option<Written>) -> Result<i64, BadDate> {
        for format in &self.formats {
            let mut parsed = Parsed::new();
            if chrono::format::parse(&mut parsed, text.trim_ascii(), format.iter()).is_err() {
                continue;
            }
            if parsed.offset().is_some() || parsed.timestamp().is_some() {
                let zoned = if parsed.offset().is_some() {
                    parsed.to_datetime().map(|d| d.naive_utc())
                } else {
                    parsed.to_naive_datetime_with_offset(0)
                };
                match zoned {
                    Ok(utc) => return Ok(utc.and_utc().timestamp_millis()),
                    Err(_) => continue,
                }
            }
            let local = parsed.to_naive_datetime_with_offset(0);
            if let Ok(local) = local.or_else(|_| parsed.to_naive_date().map(|day| day.and_time(NaiveTime::MIN))) {
                return self.resolve(local.and_utc().timestamp_millis());
            }
        }
        written.map_or(Err(BadDate::Unreadable), |w| self.resolve(w.local))
    }

    /// `YYYY-MM-DD`, a `T` or a blank, `HH:MM:SS`, any fraction, and then nothing, `Z`, `+HH:MM`, `+HHMM` or `+HH`.
    #[inline]
    fn written(&mut self, b: &[u8]) -> Option<Written> {
        let (day, rest) = b.split_first_chunk::<10>()?;
        let (time, rest) = rest.split_first_chunk::<9>()?;
        let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = *time else { return None };
        if *day != self.day.0 {
            self.day = (*day, self::day(day)?);
        }
        let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (milli, zone) = fraction(rest)?;
        let offset = offset(zone)?;
        let seconds = hour * 3600 + minute * 60 + second;
        if let Some(start) = b.first_chunk::<17>() {
            self.minute = (*start, self.day.1 + (seconds - second) * 1000);
        }
        let local = self.day.1 + seconds * 1000 + milli;
        // A leap second is the last of a UTC day; Unix time gives it the number of the next one.
        let leap = second == 60;
        if leap && (self.day.1 + seconds * 1000 - offset.unwrap_or(0)).rem_euclid(DAY) != 0 {
            return None;
        }
        Some(Written { local, offset })
    }

    /// A local time of the settings' zone. Of two equal local times the earlier counts.
    #[inline]
    fn resolve(&mut self, local: i64) -> Result<i64, BadDate> {
        if self.zone == Tz::UTC {
            return Ok(local);
        }
        let day = local.div_euclid(DAY);
        if self.offset.0 != day {
            let start = self.lookup(day * DAY).map(|utc| day * DAY - utc);
            let end = self.lookup((day + 1) * DAY).map(|utc| (day + 1) * DAY - utc);
            self.offset = (day, start.ok().filter(|&start| end == Ok(start)));
        }
        match self.offset.1 {
            Some(offset) => Ok(local - offset),
            None => self.lookup(local),
        }
    }

    fn lookup(&self, local: i64) -> Result<i64, BadDate> {
        let naive: NaiveDateTime = DateTime::from_timestamp_millis(local).ok_or(BadDate::Unreadable)?.naive_utc();
        match self.zone.offset_from_local_datetime(&naive) {
            MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => {
                Ok(local - i64::from(offset.fix().local_minus_utc()) * 1000)
            }
            MappedLocalTime::None => Err(BadDate::Skipped),
        }
    }
}

/// A format of the settings, checked.
pub(crate) fn items(format: &str) -> Result<Vec<Item<'static>>, String> {
    StrftimeItems::new(format).parse_to_owned().map_err(|_| format!("the date format `{format}` is not one that chrono knows"))
}

#[inline]
fn digit(c: u8) -> Option<i64> {
    Some(i64::from(c.wrapping_sub(b'0'))).filter(|&d| d <= 9)
}

#[inline]
fn pair(tens: u8, ones: u8) -> Option<i64> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// Milliseconds of `YYYY-MM-DD`.
fn day(text: &[u8; 10]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let (year, month, day) = (pair(y1, y2)? * 100 + pair(y3, y4)?, pair(m1, m2)?, pair(d1, d2)?);
    let date = chrono::NaiveDate::from_ymd_opt(year as i32, month as u32, day as u32)?;
    Some(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
}

/// Milliseconds of a fraction, floored, and what follows it.
#[inline]
fn fraction(b: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', rest @ ..] = b else { return Some((0, b)) };
    let mut digits = 0;
    let mut milli = 0;
    while let Some(d) = rest.get(digits).and_then(|&c| digit(c)) {
        milli = if digits < 3 { milli * 10 + d } else { milli };
        digits += 1;
    }
    let milli = match digits {
        0 => return None,
        1 => milli * 100,
        2 => milli * 10,
        _ => milli,
    };
    Some((milli, &rest[digits..]))
}

/// The offset in milliseconds, `None` inside when there is none.
#[inline]
fn offset(zone: &[u8]) -> Option<Option<i64>> {
    let (sign, hours, minutes) = match *zone {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [sign, h1, h2] => (sign, pair(h1, h2)?, 0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, pair(h1, h2)?, pair(m1, m2)?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let size = (hours * 60 + minutes) * 60_000;
    match sign {
        b'+' => Some(Some(size)),
        b'-' => Some(Some(-size)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(zone: Tz, formats: &[&str]) -> Dates {
        Dates::new(&Schema { zone, date_formats: formats.iter().map(|f| f.to_string()).collect(), ..Schema::default() })
    }

    fn check(dates: &mut Dates, cases: &[(&str, &str)]) {
        for (text, want) in cases {
            let want = match *want {
                "bad" => Err(BadDate::Unreadable),
                "skipped" => Err(BadDate::Skipped),
                want => Ok(want.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis()),
            };
            // Twice: the second time from the cache.
            assert_eq!(dates.parse(text), want, "{text}");
            assert_eq!(dates.parse(text), want, "{text} again");
        }
    }

    #[test]
    fn rfc_3339_and_its_relatives() {
        assert_eq!(dates(Tz::UTC, &[]).parse("2026-01-31T10:00:00Z"), Ok(1_769_853_600_000));
        check(
            &mut dates(Tz::UTC, &[]),
            &[
                ("2026-01-31T10:00:00.123Z", "2026-01-31T10:00:00.123Z"),
                ("2026-01-31t10:00:00z", "2026-01-31T10:00:00Z"),
                ("2026-01-31 10:00:00", "2026-01-31T10:00:00Z"),
                (" 2026-01-31 10:00:00 ", "2026-01-31T10:00:00Z"),
                // floored to milliseconds, whatever follows
                ("2026-01-31T10:00:00.123456+0000", "2026-01-31T10:00:00.123Z"),
                ("2026-01-31T10:00:00.1239999999999999999999Z", "2026-01-31T10:00:00.123Z"),
                ("2026-01-31T10:00:00.5", "2026-01-31T10:00:00.500Z"),
                ("2026-01-31T10:00:00.05Z", "2026-01-31T10:00:00.050Z"),
                // floored, not towards zero: 1 ms before the epoch is -1
                ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
                // 10:00 at +05:30 is 04:30 UTC; 23:00 at -02 is 01:00 of the next day
                ("2026-01-31T10:00:00+05:30", "2026-01-31T04:30:00Z"),
                ("2026-01-31T10:00:00+0530", "2026-01-31T04:30:00Z"),
                ("2026-01-31T23:00:00-02", "2026-02-01T01:00:00Z"),
                ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
                ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
                // a leap second counts as the next second
                ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
                ("2017-01-01T05:29:60.250+05:30", "2017-01-01T00:00:00.250Z"),
                ("2016-12-31T22:59:60Z", "bad"),
                ("2023-02-29T00:00:00Z", "bad"),
                ("1900-02-29T00:00:00Z", "bad"),
                ("2026-13-01T00:00:00Z", "bad"),
                ("2026-00-01T00:00:00Z", "bad"),
                ("2026-04-31T00:00:00Z", "bad"),
                ("2026-01-31T24:00:00Z", "bad"),
                ("2026-01-31T10:60:00Z", "bad"),
                ("2026-01-31T10:00:61Z", "bad"),
                ("2026-01-31T10:00:60.000Z", "bad"),
                ("2026-01-31T10:00:5a.000Z", "bad"),
                ("2026-01-31T10:00:59.9990Z", "2026-01-31T10:00:59.999Z"),
                ("2026-01-31T10:00:00.Z", "bad"),
                ("2026-01-31T10:00:00,5Z", "bad"),
                ("2026-01-31T10:00:00+5", "bad"),
                ("2026-01-31T10:00:00+24:00", "bad"),
                ("2026-01-31T10:00:00+05:60", "bad"),
                ("2026-01-31T10:00:00 Z", "bad"),
                ("2026-01-31T10:00:00ZZ", "bad"),
                ("2026-01-31T10:00", "bad"),
                ("2026-01-31", "bad"),
                ("2026/01/31 10:00:00", "bad"),
                ("2026-01-31T1a:00:00Z", "bad"),
                ("٢٠٢٦-01-31T10:00:00Z", "bad"),
                ("yesterday", "bad"),
                ("", "bad"),
            ],
        );
    }

    #[test]
    fn a_time_without_a_zone_takes_that_of_the_settings() {
        // London 2011: clocks went forward on 27 March at 01:00 (to 02:00), back on 30 October at 02:00 (to 01:00).
        check(
            &mut dates(Tz::Europe__London, &[]),
            &[
                ("2011-01-10 12:00:00", "2011-01-10T12:00:00Z"),
                ("2011-07-10 12:00:00", "2011-07-10T11:00:00Z"),
                ("2011-07-10 12:00:00Z", "2011-07-10T12:00:00Z"),
                ("2011-03-27 00:59:59.999", "2011-03-27T00:59:59.999Z"),
                ("2011-03-27 01:00:00", "skipped"),
                ("2011-03-27 01:59:59.999", "skipped"),
                ("2011-03-27 02:00:00", "2011-03-27T01:00:00Z"),
                ("2011-03-28 01:30:00", "2011-03-28T00:30:00Z"),
                ("2011-10-30 00:59:59", "2011-10-29T23:59:59Z"),
                // 01:30 comes twice, as 00:30 and as 01:30 UTC: the earlier
                ("2011-10-30 01:30:00", "2011-10-30T00:30:00Z"),
                ("2011-10-30 02:00:00", "2011-10-30T02:00:00Z"),
            ],
        );
        // São Paulo 2018: clocks went forward at midnight on 4 November, so that the day began at 01:00.
        check(
            &mut dates(Tz::America__Sao_Paulo, &[]),
            &[
                ("2018-11-03 23:59:59", "2018-11-04T02:59:59Z"),
                ("2018-11-04 00:30:00", "skipped"),
                ("2018-11-04 01:00:00", "2018-11-04T03:00:00Z"),
                ("2018-11-05 00:30:00", "2018-11-05T02:30:00Z"),
            ],
        );
    }

    #[test]
    fn formats_of_the_settings() {
        check(
            &mut dates(Tz::Europe__London, &["%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S UTC", "%d.%m.%Y", "%d/%m/%Y %H:%M %z", "@%s"]),
            &[
                ("01/07/2011 08:26", "2011-07-01T07:26:00Z"),
                ("27/03/2011 01:30", "skipped"),
                // a literal `UTC` is text like any other: the zone is still that of the settings
                ("2011-01-07 08:26:00 UTC", "2011-01-07T08:26:00Z"),
                // a date alone is its midnight
                ("01.07.2011", "2011-06-30T23:00:00Z"),
                ("01/07/2011 08:26 -0300", "2011-07-01T11:26:00Z"),
                ("@1309508760", "2011-07-01T08:26:00Z"),
                ("2011-07-01T08:26:00Z", "2011-07-01T08:26:00Z"),
                ("2011-07-01 08:26:00", "2011-07-01T07:26:00Z"),
                ("32/07/2011 08:26", "bad"),
            ],
        );
        // A format goes before our own reading of a time that names no zone: 1 February, not 2 January.
        check(&mut dates(Tz::UTC, &["%Y-%d-%m %H:%M:%S"]), &[("2011-01-02 08:26:00", "2011-02-01T08:26:00Z")]);
    }
}
