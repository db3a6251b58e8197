//! The engine through its public door: the same released records in every shape, and one clear line for every failure.
//!
//! What is released is shown by the consumer that the clock's own tests use, and those compare it with the rule by hand. Here
//! a run of one worker on plain files is the measure.

#[path = "../dataflows/tests/clock/consume.rs"]
mod consume;
#[path = "clock/process.rs"]
mod process;
#[path = "clock/sales.rs"]
mod sales;

use consume::consume;
use dataflows::clock::Failure;
use process::Child;
use sales::{csv, gzip, lines, write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use timely::dataflow::operators::Inspect;
use vitrine::engine::{Job, Report, Stop, run};
use vitrine::error::Error;
use vitrine::metrics::Metrics;
use vitrine::source::Input;

/// A job over these inputs on so many workers.
fn job(inputs: Vec<Input>, workers: usize) -> Job {
    let spec = dataflows::plan::Spec::default();
    let plan = Arc::new(dataflows::plan::Plan::new(&spec).expect("the default plan"));
    let metrics = Arc::new(Metrics::new(&plan, workers, Arc::default()));
    Job {
        plan,
        schema: Arc::default(),
        inputs,
        live: None,
        epoch_bytes: 2_000,
        max_drift: 60_000,
        max_jump: Some(86_400_000),
        workers,
        process: 0,
        addresses: vec![],
        state: None,
        faults: Default::default(),
        stop: Stop::default(),
        progress: metrics.progress.clone(),
        metrics,
    }
}

fn open(names: &[String]) -> Vec<Input> {
    names.iter().map(|name| Input::open(name, None).expect("an input")).collect()
}

/// Runs a job with the consumer; what it wrote, and the report.
fn consumed(job: Job, seed: u64) -> (String, Result<Report, Error>) {
    greeted(job, seed, || ())
}

/// The same, with a word when the workers start.
fn greeted(job: Job, seed: u64, hello: fn()) -> (String, Result<Report, Error>) {
    let text = Arc::new(Mutex::new(String::new()));
    let out = text.clone();
    let report = run(job, None, move |scope, context, released| {
        hello();
        consume(scope, context, released, out.clone(), (seed, 20))
    });
    let text = text.lock().expect("no panic").clone();
    (text, report)
}

/// Three inputs of unequal length; one starts a minute later, one has a wild date, all have late and broken records.
fn three() -> Vec<Vec<u8>> {
    vec![lines(1, 0, 400), lines(2, 60_000, 150), lines(3, 5_000, 40)]
}

#[test]
fn every_shape_and_packing_gives_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = write(folder.path(), "ndjson", &three());
    let (want, report) = consumed(job(open(&plain), 1), 1);
    let report = report.expect("a report");
    assert_eq!(report.total().read, 590);
    assert_eq!(report.total().unaccounted(), 0);
    assert!(report.total().rejected > 10, "broken records and one wild date: {report:?}");
    assert!(want.lines().count() > 100 && want.contains("ending"), "{want}");

    let gz = write(folder.path(), "ndjson.gz", &three().iter().map(|b| gzip(b)).collect::<Vec<_>>());
    let zst: Vec<Vec<u8>> = three().iter().map(|b| zstd::encode_all(&b[..], 3).expect("memory")).collect();
    let zst = write(folder.path(), "jsonl.zst", &zst);
    let mixed = vec![gz[0].clone(), plain[1].clone(), zst[2].clone()];
    for (names, workers) in [(&plain, 2), (&plain, 4), (&gz, 1), (&gz, 3), (&zst, 2), (&mixed, 2)] {
        let (got, report) = consumed(job(open(names), workers), workers as u64);
        assert_eq!(got, want, "{names:?} on {workers}");
        let report = report.expect("a report");
        assert_eq!((report.workers.len(), report.total().read), (workers, 590));
        assert!(report.workers.iter().all(|counts| counts.read > 0));
    }
}

#[test]
fn csv_with_quoted_line_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = csv(300);
    let plain = write(folder.path(), "csv", std::slice::from_ref(&table));
    let gz = write(folder.path(), "csv.gz", &[gzip(&table)]);
    let (want, report) = consumed(job(open(&plain), 1), 1);
    let total = report.expect("a report").total();
    assert_eq!((total.read, total.rejected), (300, 0));
    for (names, workers) in [(&plain, 3), (&gz, 2)] {
        assert_eq!(consumed(job(open(names), workers), 1).0, want);
    }
}

#[test]
fn generated_sales_come_like_those_of_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = lines(1, 0, 400);
    let plain = write(folder.path(), "ndjson", std::slice::from_ref(&bytes));
    let (want, _) = consumed(job(open(&plain), 1), 1);
    for speed in [None, Some(2_000.0)] {
        let text = String::from_utf8(bytes.clone()).expect("text");
        let made = text.lines().enumerate().map(|(i, line)| (i as i64 * 300, line.as_bytes().to_vec()));
        let made: Vec<_> = made.collect();
        let (got, report) = consumed(job(vec![Input::generated("demo", speed, made.into_iter())], 2), 1);
        assert_eq!(got, want);
        assert_eq!(report.expect("a report").total().read, 400);
    }
}

#[test]
fn a_stop_ends_an_endless_input_and_leaves_it_open() {
    let endless = (0i64..).map(|i| {
        let line = lines(i as u64, i * 1_000, 1);
        (i * 50, line.trim_ascii_end().to_vec())
    });
    let job = job(vec![Input::generated("demo", Some(100.0), endless)], 2);
    let (stop, progress) = (job.stop.clone(), job.progress.clone());
    std::thread::spawn(move || {
        while progress.epochs.load(std::sync::atomic::Ordering::Relaxed) < 5 {
            std::thread::sleep(Duration::from_millis(1));
        }
        stop.request();
    });
    let (text, report) = consumed(job, 1);
    let report = report.expect("a stop is no failure");
    assert_eq!((report.ending, report.total().unaccounted()), (None, 0));
    assert!(report.total().read > 0 && !text.contains("ending"));
}

#[test]
fn half_a_gzip_is_an_error_and_no_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut half = gzip(&lines(1, 0, 3_000));
    half.truncate(half.len() / 2);
    let names = write(folder.path(), "ndjson.gz", &[half]);
    for workers in [1, 2] {
        let (text, report) = consumed(job(open(&names), workers), 1);
        let error = report.expect_err("half a file");
        assert_eq!(error.exit_code(), 74);
        let said = error.to_string();
        assert!(said.contains(&names[0]) && said.contains("fetch the file again"), "{said}");
        assert!(!text.contains("ending"));
    }
}

#[test]
fn a_header_that_cannot_serve_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = write(folder.path(), "csv", &[b"id_sale,seller\n1,2\n".to_vec()]);
    let said = consumed(job(open(&names), 2), 1).1.expect_err("no columns").to_string();
    assert!(said.contains(&names[0]) && said.contains("id_product"), "{said}");
}

#[test]
fn a_sink_that_fails_stops_all_workers() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = write(folder.path(), "ndjson", &three());
    let report = run(job(open(&names), 4), None, |scope, context, released| {
        let failing = context.clone();
        let released = released.inspect(move |_| failing.fail(Failure::Output("the disk is full: free some".into())));
        consume(scope, context, released, Arc::default(), (1, 0))
    });
    assert_eq!(report, Err(Error::Output("the disk is full: free some".into())));
}

#[test]
fn a_panic_on_one_worker_ends_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = write(folder.path(), "ndjson", &three());
    let report = run(job(open(&names), 2), None, |scope, context, released| {
        let released = released.inspect(|released| assert!(released.epoch < 7, "on purpose"));
        consume(scope, context, released, Arc::default(), (1, 0))
    });
    let error = report.expect_err("a panic");
    assert_eq!(error.exit_code(), 70);
    assert!(error.to_string().contains("on purpose"), "{error}");
}

#[test]
fn processes_give_what_one_worker_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = write(folder.path(), "ndjson", &three());
    let gz = write(folder.path(), "ndjson.gz", &three().iter().map(|b| gzip(b)).collect::<Vec<_>>());
    let (want, _) = consumed(job(open(&plain), 1), 1);
    for (names, processes, workers) in [(&plain, 2, 2), (&plain, 3, 1), (&gz, 2, 1)] {
        let cluster = process::addresses(processes);
        let children: Vec<Child> = (0..processes).map(|p| Child::start(names, &cluster, p, workers)).collect();
        for (p, child) in children.into_iter().enumerate() {
            let done = child.wait();
            assert_eq!(done.code, 0, "{}", done.stderr);
            // Process 0 tells the rows and what each worker of all processes has read.
            let (rows, reads) = done.stdout.split_once("read ").expect("the report");
            if p == 0 {
                assert_eq!(rows, want, "{processes} processes");
                assert_eq!(reads.split_whitespace().count(), processes * workers, "{reads}");
            }
            assert!(reads.split_whitespace().all(|n| n != "0"), "{reads}");
        }
    }
}

#[test]
fn standard_input_is_an_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = lines(1, 0, 400);
    let plain = write(folder.path(), "ndjson", std::slice::from_ref(&bytes));
    let (want, _) = consumed(job(open(&plain), 1), 1);
    for (processes, workers) in [(1, 2), (2, 1)] {
        let cluster = process::addresses(processes);
        let names = ["-".to_owned()];
        let mut children: Vec<Child> = (0..processes).map(|p| Child::start(&names, &cluster, p, workers)).collect();
        children[0].write(&bytes);
        let done: Vec<_> = children.into_iter().map(Child::wait).collect();
        assert_eq!(done[0].code, 0, "{}", done[0].stderr);
        assert_eq!(done[0].stdout.split_once("read ").expect("the report").0, want);
    }
}

#[test]
fn a_process_that_dies_ends_the_others_with_one_line() {
    for victim in [0, 1] {
        let cluster = process::addresses(2);
        // Standard input stays open: nobody is done before one is killed.
        let names = ["-".to_owned()];
        let mut children: Vec<Child> = (0..2).map(|p| Child::start(&names, &cluster, p, 2)).collect();
        children.iter_mut().for_each(Child::until_connected);
        children.remove(victim).kill();
        let left = children.remove(0).wait_open();
        assert_eq!(left.code, 69, "{}", left.stderr);
        assert_eq!(left.stderr.lines().count(), 1, "{}", left.stderr);
        assert!(left.stderr.contains("another process of the cluster"), "{}", left.stderr);
    }
}

#[test]
fn an_input_that_fails_in_one_process_ends_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut half = gzip(&lines(1, 0, 3_000));
    half.truncate(half.len() / 2);
    let names = write(folder.path(), "ndjson.gz", &[lines(2, 0, 10), half]);
    std::fs::write(&names[0], gzip(&lines(2, 0, 10))).expect("written");
    let cluster = process::addresses(2);
    let children: Vec<Child> = (0..2).map(|p| Child::start(&names, &cluster, p, 1)).collect();
    let done: Vec<_> = children.into_iter().map(Child::wait).collect();
    // The second input belongs to process 1.
    assert_eq!((done[0].code, done[1].code), (69, 74), "{} {}", done[0].stderr, done[1].stderr);
    assert!(done[1].stderr.contains(&names[1]), "{}", done[1].stderr);
}

#[test]
fn processes_that_do_not_fit_together_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = write(folder.path(), "ndjson", &three());
    let cluster = process::addresses(2);
    let children = [Child::start(&names, &cluster, 0, 1), Child::start(&names, &cluster, 1, 2)];
    for done in children.into_iter().map(Child::wait) {
        assert_eq!(done.code, 78, "{}", done.stderr);
        assert!(done.stderr.contains("was started with -w"), "{}", done.stderr);
    }
    let cluster = process::addresses(2);
    let children = [Child::start(&names, &cluster, 0, 1), Child::start(&names[..2], &cluster, 1, 1)];
    for done in children.into_iter().map(Child::wait) {
        assert_eq!(done.code, 78, "{}", done.stderr);
        assert!(done.stderr.contains("other inputs or settings"), "{}", done.stderr);
    }
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let mut job = job(vec![], 1);
    job.addresses = vec![address.clone(), "127.0.0.1:1".into()];
    let error = consumed(job, 1).1.expect_err("the port is taken");
    assert_eq!(error.exit_code(), 69);
    assert!(error.to_string().contains(&address) && error.to_string().contains("in use"), "{error}");
}

/// Not a test: what [`Child`] runs, when it runs this very binary again.
#[test]
fn child() {
    if let Some(args) = process::arguments() {
        std::panic::set_hook(Box::new(|info| process::fail(&vitrine::engine::explain(info))));
        let inputs = args.names.iter().map(|name| Input::open(name, None)).collect::<Result<Vec<_>, _>>();
        let inputs = inputs.unwrap_or_else(|e| process::fail(&e));
        let job = Job { process: args.process, addresses: args.addresses, ..job(inputs, args.workers) };
        let (text, report) = greeted(job, 1, || eprintln!("connected"));
        match report {
            Ok(report) => process::done(&text, report.workers.iter().map(|counts| counts.read)),
            Err(e) => process::fail(&e),
        }
    }
}
