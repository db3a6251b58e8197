//! `[detect]`: the detectors of counts, and the times of sales that are known beforehand.

use super::layer::Effective;
use super::{Error, raw};
use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone};
use chrono_tz::Tz;
use dataflows::plan::{Announced, DetectSpec};

/// From what was written.
///
/// # Errors
/// When a level or an entry of the calendar cannot be read.
pub(super) fn resolve(raw: &raw::Detect, zone: Tz, effective: &Effective) -> Result<DetectSpec, Error> {
    const LEVELS: [&str; 3] = ["global", "category", "seller"];
    if let Some(unknown) = raw.levels.0.iter().find(|level| !LEVELS.contains(&level.as_str())) {
        let message = format!("{unknown:?} is no level; there are {}", LEVELS.join(", "));
        return Err(effective.problem("detect.levels", message));
    }
    if !(raw.false_alarms.0.is_finite() && raw.false_alarms.0 > 0.0) {
        return Err(effective.problem("detect.false_alarms", "must be a positive number"));
    }
    let announced = raw.calendar.0.iter().map(|entry| announced(entry, zone));
    Ok(DetectSpec {
        enabled: raw.enabled,
        levels: LEVELS.map(|level| raw.levels.0.iter().any(|it| it == level)),
        false_alarms: raw.false_alarms.0,
        zone,
        announced: announced.collect::<Result<_, _>>().map_err(|e| effective.problem("detect.calendar", e))?,
    })
}

/// `DAY`, or `START/END`, and the name of a category behind a blank.
fn announced(entry: &str, zone: Tz) -> Result<Announced, String> {
    let entry = entry.trim();
    let (span, category) = entry.split_once(' ').map_or((entry, None), |(span, name)| (span, Some(name.trim().to_string())));
    let bad = || {
        format!(
            "{entry:?} is no announced sale; write a day (\"2026-11-27\") or START/END \
             (\"2026-11-27T10:00:00Z/2026-11-27T13:00:00Z\"), and behind a blank a category when it is not of all"
        )
    };
    let moment = |text: &str| DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_millis()).map_err(|_| bad());
    let (start, end) = match span.split_once('/') {
        Some((start, end)) => (moment(start)?, moment(end)?),
        None => {
            let day: NaiveDate = span.parse().map_err(|_| bad())?;
            let midnight = |day: NaiveDate| {
                // where the clock is put forward at midnight the day begins an hour later
                let hours = (0..3).map(|hour| day.and_time(chrono::NaiveTime::MIN) + TimeDelta::hours(hour));
                hours.filter_map(|at| zone.from_local_datetime(&at).earliest()).map(|at| at.timestamp_millis()).next()
            };
            let next = day.succ_opt().ok_or_else(bad)?;
            (midnight(day).ok_or_else(bad)?, midnight(next).ok_or_else(bad)?)
        }
    };
    if start >= end {
        return Err(format!("{entry:?} ends before it begins"));
    }
    Ok(Announced { start, end, category })
}

#[cfg(test)]
mod tests {
    use super::announced;
    use chrono_tz::Tz;

    #[test]
    fn a_day_a_span_and_a_category() {
        let zone: Tz = "America/Sao_Paulo".parse().unwrap();
        let day = announced("2026-11-27", zone).unwrap();
        assert_eq!((day.start, day.end, day.category), (1_795_748_400_000, 1_795_834_800_000, None));
        let span = announced("2026-11-27T10:00:00Z/2026-11-27T13:00:00-03:00  Home & Garden", zone).unwrap();
        assert_eq!((span.end - span.start, span.category.as_deref()), (6 * 3_600_000, Some("Home & Garden")));
        for bad in ["", "27.11.2026", "2026-11-27/2026-11-28", "2026-11-27T10:00:00Z/2026-11-27T10:00:00Z"] {
            assert!(announced(bad, zone).is_err(), "{bad}");
        }
    }
}
