//! Settings: what each layer may say, who wins, and what a person who mistypes reads.

#[path = "settings/kafka.rs"]
mod kafka;

use vitrine::settings::layer::{DEFAULTS, Flag, Origin};
use vitrine::settings::{Error, Given, Settings, value};

fn given(file: &str, env: &[(&str, &str)], flags: &[(&str, &str, &str)]) -> (Result<Settings, Error>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vitrine.toml");
    std::fs::write(&path, file).unwrap();
    let pair = |(name, text): &(&str, &str)| (name.to_string(), text.to_string());
    let flag =
        |(name, path, text): &(&str, &str, &str)| Flag { name: name.to_string(), path: path.to_string(), text: text.to_string() };
    let given = Given { file: Some(path), env: env.iter().map(pair).collect(), flags: flags.iter().map(flag).collect() };
    (Settings::load(&given), dir)
}

fn load(file: &str) -> Settings {
    given(file, &[], &[]).0.unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The message with the temporary folder taken out.
fn message((result, dir): (Result<Settings, Error>, tempfile::TempDir)) -> String {
    let text = result.expect_err("these settings are wrong").to_string();
    text.replace(&format!("{}/", dir.path().display()), "")
}

fn complaint(file: &str) -> String {
    message(given(file, &[], &[]))
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = Settings::load(&Given::default()).unwrap();
    assert_eq!(settings.spec, dataflows::plan::Spec::default());
    let time = settings.plan.reach();
    let limits = dataflows::schema::Limits { time, ..Default::default() };
    assert_eq!(settings.schema, dataflows::schema::Schema { limits, ..Default::default() });
    assert_eq!(settings.epoch_bytes, 1 << 20);
    let clock = settings.clock;
    assert_eq!((clock.max_future, clock.max_jump), (300_000, 86_400_000));
    assert_eq!((clock.max_drift, clock.idle_timeout), (60_000, 5_000));
    assert!(clock.advance_when_idle);
}

#[test]
fn every_default_is_explained() {
    let mut explained = false;
    for line in DEFAULTS.lines() {
        if line.starts_with('#') {
            explained = true;
        } else if line.is_empty() || line.starts_with('[') {
            explained = false;
        } else {
            assert!(explained, "{line}");
        }
    }
}

#[test]
fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
    let file = "[time]\nzone = \"Europe/London\"\nmax-drift = \"1s\"\nmax_jump = \"1h\"\n";
    let env = [("VITRINE__TIME__ZONE", "Asia/Tokyo"), ("VITRINE__TIME__MAX_DRIFT", "2s")];
    let (settings, dir) = given(file, &env, &[("--set", "time.zone", "America/Sao_Paulo")]);
    let settings = settings.unwrap();
    assert_eq!(settings.schema.zone, chrono_tz::America::Sao_Paulo);
    assert_eq!(settings.clock.max_drift, 2_000);
    assert_eq!(settings.clock.max_jump, 3_600_000);
    assert_eq!(settings.clock.max_future, 300_000);
    let origin = |path: &str| settings.effective.origin(path);
    assert_eq!(origin("time.zone"), Origin::Flag("--set".into()));
    assert_eq!(origin("time.max_drift"), Origin::Env("VITRINE__TIME__MAX_DRIFT".into()));
    assert_eq!(origin("time.max_jump"), Origin::File { path: dir.path().join("vitrine.toml"), line: 4 });
    assert_eq!(origin("time.max_future"), Origin::Default);
}

#[test]
fn what_is_shown_reads_back_as_the_same_settings() {
    let file = "windows = [\"15m/1m\", { window = \"1d/1h\", allowed_lateness = \"10m\", biggest = false }]\n\
                [schema]\ndate-formats = [\"%Y-%m-%d %H:%M:%S\"]\n\
                [schema.fields]\nprice = \"UnitPrice\"\nid_sale = { template = \"{Invoice}:{_record}\" }\n";
    let first = load(file);
    let second = load(&first.effective.text());
    assert_eq!((first.spec, first.schema, first.clock), (second.spec, second.schema, second.clock));
}

#[test]
fn windows_are_names_or_tables() {
    let file =
        "[[windows]]\nwindow = \"1d / 1h\"\nallowed-lateness = \"10m\"\nbiggest = false\n[[windows]]\nwindow = \"1m/1s\"\n";
    let windows = load(file).spec.windows;
    assert_eq!(windows.len(), 2);
    assert_eq!((windows[0].name.as_str(), windows[0].size, windows[0].slide), ("1d/1h", 86_400_000, 3_600_000));
    assert_eq!((windows[0].lateness, windows[0].biggest), (600_000, false));
    // Five slides of one second are less than [time] allowed_lateness.
    assert_eq!((windows[1].lateness, windows[1].biggest), (5_000, true));
    let (settings, _dir) = given(file, &[("VITRINE__WINDOWS", "60s/30s, 15m/1s")], &[]);
    assert_eq!(settings.unwrap().spec.windows, dataflows::plan::Spec::default().windows);
}

#[test]
fn fields_are_mapped_by_name_constant_and_template() {
    use dataflows::schema::From;
    let schema = load(
        "[schema.fields]\nprice = \"unit_value\"\nseller = [\"seller\", \"shop\"]\ntp_payment = { constant = \"PIX\" }\n\
         quantity = { constant = 1 }\nid-sale = { template = \"{Invoice}:{_record}\" }\n[schema]\npayments = [\"Cash\"]\ndelimiter = \"tab\"\n",
    )
    .schema;
    assert_eq!(schema.fields["price"], From::Fields(vec!["unit_value".into()]));
    assert_eq!(schema.fields["seller"], From::Fields(vec!["seller".into(), "shop".into()]));
    assert_eq!(schema.fields["tp_payment"], From::Constant("PIX".into()));
    assert_eq!(schema.fields["quantity"], From::Constant("1".into()));
    assert_eq!(schema.fields["id_sale"], From::Template("{Invoice}:{_record}".into()));
    assert_eq!((schema.payments.len(), schema.payments[6].as_str(), schema.delimiter), (7, "Cash", b'\t'));
}

#[test]
fn numbers_and_texts_of_the_environment_need_no_quotes() {
    let env = [
        ("VITRINE__GATES__TOTAL_SALES", "9"),
        ("VITRINE__GATES__TOTAL_REVENUE", "12.34"),
        ("VITRINE__EVENTS__ENABLED", "false"),
        ("VITRINE__EVENTS__WINDOWS", "15m/1s"),
        ("VITRINE__SCHEMA__DELIMITER", ";"),
        ("VITRINE__SCHEMA__LIMITS__QUANTITY", "1, 5000"),
        ("VITRINE__SCHEMA__FIELDS__PRICE", "unit_value"),
        ("VITRINE__INGEST__DEDUPLICATE", "1h"),
        ("PATH", "none of ours"),
    ];
    let settings = given("", &env, &[]).0.unwrap();
    assert_eq!((settings.spec.gates.min_sales, settings.spec.gates.min_revenue), (9, 1_234));
    assert!(!settings.spec.events.enabled);
    assert_eq!(settings.spec.events.windows, ["15m/1s"]);
    assert_eq!((settings.schema.delimiter, settings.schema.limits.quantity), (b';', (1, 5_000)));
    assert!(settings.schema.fields.contains_key("price"));
    assert_eq!((settings.plan.deduplicate, settings.schema.keep_ids), (3_600_000, true));
}

#[test]
fn mistakes_are_told_with_their_place_and_what_would_be_right() {
    let cases = [
        (
            "[time]\nmax_out_of_ordernes = \"2s\"",
            "vitrine.toml:2: unknown key [time] max_out_of_ordernes; did you mean [time] max_out_of_orderness?",
        ),
        ("epoch_bytes = 5", "vitrine.toml:1: unknown key epoch_bytes; did you mean [replay] epoch_bytes?"),
        ("[tiem]\nzone = \"UTC\"", "vitrine.toml:1: unknown section [tiem]; did you mean [time]?"),
        (
            "[schema.fields]\nprise = \"x\"",
            "vitrine.toml:2: unknown key [schema.fields] prise; did you mean [schema.fields] price?",
        ),
        ("time = 3", "vitrine.toml:1: time is a section: write [time] on a line of its own"),
        (
            "[time]\n\nzone = \"Europe/Lodnon\"",
            "vitrine.toml:3: [time] zone: \"Europe/Lodnon\" is no time zone; did you mean \"Europe/London\"?",
        ),
        (
            "[time]\nmax_jump = \"2 apples\"",
            "vitrine.toml:2: [time] max_jump: \"2 apples\" is no duration; write for example \"500ms\", \"30s\", \"15m\", \"1h30m\" or \"1d\"",
        ),
        ("[time]\nmax_jump = 5", "vitrine.toml:2: [time] max_jump: a duration needs a unit: write \"5s\" or \"5ms\""),
        ("[replay]\nepoch_bytes = 0", "vitrine.toml:2: [replay] epoch_bytes: must be between 1 byte and 1GiB"),
        ("[features]\nenabled = \"yes\"", "vitrine.toml:2: [features] enabled: invalid type: string \"yes\", expected a boolean"),
        (
            "[gates]\ntotal_revenue = 1.005",
            "vitrine.toml:2: [gates] total_revenue: \"1.005\" is no amount; write for example 100 or \"99.90\", with at most two decimals",
        ),
        (
            "windows = [\"60s\"]",
            "vitrine.toml:1: windows: \"60s\" is no window; write SIZE/SLIDE, for example \"60s/30s\" or \"15m/1s\"",
        ),
        (
            "windows = [\"50s/30s\"]",
            "vitrine.toml:1: windows: 50s/30s: the size (50000 ms) must be a multiple of the slide (30000 ms)",
        ),
        ("windows = [\"60s/30s\", \"1m/30s\"]", "vitrine.toml:1: windows: 60s/30s and 1m/30s are the same window"),
        (
            "\n[[windows]]\nwindow = \"60s/30s\"\nlateness = \"1s\"",
            "vitrine.toml:2: windows: unknown key lateness in a [[windows]] table; did you mean allowed_lateness?",
        ),
        ("windows = [\"1s/500ms\"]", "vitrine.toml:1: windows: a tick of 500 ms reaches only "),
        ("[events]\nwindows = [\"5m/1m\"]", "vitrine.toml:2: [events] windows: 5m/1m is none of the windows (60s/30s, 15m/1s)"),
        (
            "[events]\nreference = \"mean:0\"",
            "vitrine.toml:2: [events] reference: \"mean:0\" is no reference; write \"auto\", \"slide\", \"size\" or \"mean:N\" (N up to 1000)",
        ),
        ("[cooldown]\nquiet = \"5m\"", "settings: [cooldown] max_quiet: must not be shorter than [cooldown] quiet"),
        (
            "[ingest]\ndeduplicate = \"on\"",
            "vitrine.toml:2: [ingest] deduplicate: \"on\" is no duration; write for example \"500ms\", \"30s\", \"15m\", \"1h30m\" or \"1d\", or \"off\"",
        ),
        (
            "[schema]\ndelimiter = \"::\"",
            "vitrine.toml:2: [schema] delimiter: \"::\" is no delimiter; write one ASCII character such as \";\", or \"tab\"",
        ),
        (
            "[schema]\ndate_formats = [\"%Q\"]",
            "vitrine.toml:2: [schema] date_formats: \"%Q\" is no chrono format; write for example \"%d/%m/%Y %H:%M\"",
        ),
        (
            "[schema.limits]\nprice = [0, 5]",
            "vitrine.toml:2: [schema.limits] price: must be a least value of at least 0.01, then a greatest one, both within the engine's reach",
        ),
        (
            "[schema.fields]\nid_sale = { template = \"{a\" }",
            "vitrine.toml:2: [schema.fields] id_sale: the template \"{a\" needs a closed, named pair of braces, as in \"{Invoice}:{_record}\"",
        ),
        ("[checkpoint]\nevery = \"0s\"", "vitrine.toml:2: [checkpoint] every: must be positive"),
        ("[time\nzone = 1", "vitrine.toml:1: not valid TOML: "),
    ];
    for (file, expected) in cases {
        let complaint = complaint(file);
        assert!(complaint.starts_with(expected), "{file}\n  said     {complaint}\n  expected {expected}");
        assert!(!complaint.contains('\n'), "one line: {complaint}");
    }
}

/// What is out of range is told of the key that was written, at its line.
#[test]
fn a_shop_that_makes_no_sense_is_told_by_its_key() {
    let one = [
        ("sellers", "0", "0"),
        ("categories", "249", "249"),
        ("customers", "0", "0"),
        ("rate", "0", "0"),
        ("start", "\"2200-01-01T00:00:00Z\"", "7258118400000"),
        ("utc_offset_minutes", "5000", "5000"),
        ("season", "3", "3"),
        ("noise", "6", "6"),
        ("clumping", "0.5", "0.5"),
        ("seller_zipf", "6", "6"),
        ("excitement", "0.9", "0.9"),
        ("season_drift", "7", "7"),
        ("pareto_alpha", "0", "0"),
        ("disorder", "60", "60"),
        ("jitter", "\"367d\"", "31708800000"),
        ("late_mean", "\"367d\"", "31708800000"),
        ("cancel_within", "\"367d\"", "31708800000"),
        ("return_mean", "\"367d\"", "31708800000"),
        ("dst_after", "\"367d\"", "31708800000"),
        ("late", "1.5", "1.5"),
        ("cancels", "1.5", "1.5"),
        ("returns", "1.5", "1.5"),
        ("duplicates", "1.5", "1.5"),
        ("pareto", "1.5", "1.5"),
        ("broken", "1.5", "1.5"),
        ("guests", "1.5", "1.5"),
        ("incident_shapes", "[]", "0"),
        ("burst_customers", "[0]", "0"),
        ("incidents_per_day", "10001", "10001"),
        ("incidents_after", "\"12000d\"", "1036800000000"),
        ("incidents_gap", "\"25h\"", "90000000"),
    ];
    for (key, text, value) in one {
        let said = complaint(&format!("[generate]\n{key} = {text}"));
        let expected = format!("vitrine.toml:2: [generate] {key}: {key} is {value}, allowed is ");
        assert!(said.starts_with(&expected), "{said}");
    }
    for (key, what) in [
        ("late", "late times disorder is 1.5"),
        ("cancels", "cancels times disorder, and returns is 1.51"),
        ("duplicates", "duplicates times disorder is 1.5"),
    ] {
        let said = complaint(&format!("[generate]\n{key} = 0.5\ndisorder = 3"));
        assert_eq!(said, format!("vitrine.toml:3: [generate] disorder: {what}, allowed is 0 to 1"));
    }
}

#[test]
fn all_unknown_keys_are_told_at_once() {
    let env = [("VITRINE__TIME__ZNOE", "UTC")];
    let flags = [("--set", "replay.epoch-byte", "1")];
    assert_eq!(
        message(given("[gate]\nx = 1\n[time]\nzones = \"UTC\"\n", &env, &flags)),
        "vitrine.toml:1: unknown section [gate]; did you mean [gates]?\n\
         vitrine.toml:4: unknown key [time] zones; did you mean [time] zone?\n\
         VITRINE__TIME__ZNOE: unknown setting; did you mean VITRINE__TIME__ZONE?\n\
         --set: unknown setting replay.epoch_byte; did you mean replay.epoch_bytes?"
    );
}

#[test]
fn a_missing_file_is_told() {
    let given = Given { file: Some("/nowhere/vitrine.toml".into()), ..Given::default() };
    let message = Settings::load(&given).unwrap_err().to_string();
    assert_eq!(message, "cannot read the settings file /nowhere/vitrine.toml: No such file or directory (os error 2)");
}

#[test]
fn durations() {
    let good = [
        ("0", 0),
        ("0s", 0),
        ("500ms", 500),
        ("60s", 60_000),
        ("15m", 900_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        (" 1d ", 86_400_000),
        ("2w", 1_209_600_000),
    ];
    for (text, ms) in good {
        assert_eq!(value::span(text), Ok(ms), "{text}");
    }
    for text in ["", "5", "s", "-1s", "1.5s", "1 apple", "1s1", "99999999999999999999s", "40000d", "1m-"] {
        assert!(value::span(text).is_err(), "{text}");
    }
}

#[test]
fn sizes() {
    let good = [("1", 1), ("64KiB", 65_536), ("1MiB", 1 << 20), ("1 mib", 1 << 20), ("2MB", 2_000_000), ("1GiB", 1 << 30)];
    for (text, bytes) in good {
        assert_eq!(value::size(text), Ok(bytes), "{text}");
    }
    for text in ["", "MiB", "1.5MiB", "-1", "1 elephant", "99999999999999999999"] {
        assert!(value::size(text).is_err(), "{text}");
    }
}

#[test]
fn money() {
    for (text, cents) in [("0.01", 1), ("100", 10_000), ("99.9", 9_990), ("50000.00", 5_000_000), ("-1.50", -150)] {
        assert_eq!(value::money(text), Ok(cents), "{text}");
    }
    for text in ["", ".5", "1.", "1.234", "1e3", "1,50", "99999999999999999999"] {
        assert!(value::money(text).is_err(), "{text}");
    }
}
