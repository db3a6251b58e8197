//! Against a receiver on this machine that answers as it is told.

use super::payload::tests::line;
use super::*;
use crate::settings::secret::{Hidden, Secret};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

/// What came: the idempotency key, and all headers in lower case.
struct Came {
    key: String,
    head: String,
    body: serde_json::Value,
}

/// A receiver that gives these answers, then 200 for ever; what came can be received.
fn receiver(answers: &'static [&'static str]) -> (String, mpsc::Receiver<Came>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    let mut answers = answers.iter().copied();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap() > 0 {}
            let head = head.to_lowercase();
            let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
            let mut body = vec![0; field("content-length:").parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            let body = serde_json::from_slice(&body).unwrap();
            let came = Came { key: field("idempotency-key:").to_owned(), body, head: head.clone() };
            // Told before it is answered: who has the answer finds it told.
            if tell.send(came).is_err() {
                return;
            }
            let answer = answers.next().unwrap_or("200 OK");
            write!(stream.get_mut(), "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    (url, told)
}

fn settings(url: &str, queue: usize) -> Settings {
    let secret = |text: &str| Hidden::Given(Secret::new(text));
    let headers = vec![("X-Scope-OrgID".to_owned(), "shop".to_owned())];
    Settings { url: secret(url), timeout: 5_000, queue, headers, authorization: secret("Bearer s3cret") }
}

fn rows(ids: &[&str]) -> TickRows {
    let mut rows = TickRows::default();
    let lines: String = ids.iter().map(|id| line(&format!("{id:0>32}"), 0, None) + "\n").collect();
    rows.lines[Table::Events as usize] = lines.into_bytes();
    rows
}

fn keys(told: &mpsc::Receiver<Came>) -> Vec<String> {
    told.try_iter().map(|came| came.key.trim_start_matches('0').trim_end_matches("-0").to_owned()).collect()
}

#[test]
fn events_are_posted_in_order_each_under_its_own_key() {
    let (url, told) = receiver(&[]);
    let mut webhook = Webhook::start(&settings(&url, 10), 0, None).unwrap();
    webhook.tick(&rows(&["a", "b"])).unwrap();
    webhook.tick(&rows(&["c"])).unwrap();
    assert_eq!(webhook.finish(), Posted { sent: 3, ..Posted::default() });
    let first = told.recv().unwrap();
    assert_eq!((first.key.as_str(), &first.body["version"]), (format!("{:0>32}-0", "a").as_str(), &"4".into()));
    for header in ["x-scope-orgid: shop", "authorization: bearer s3cret", "content-type: application/json", "post /hook http/1.1"]
    {
        assert!(first.head.contains(header), "{header}: {}", first.head);
    }
    assert_eq!(keys(&told), ["b", "c"]);
}

#[test]
fn what_fails_for_a_while_is_tried_again_and_what_is_refused_is_given_up() {
    let (url, told) = receiver(&["503 Service Unavailable", "200 OK", "400 Bad Request", "301 Moved Permanently"]);
    let mut webhook = Webhook::start(&settings(&url, 10), 0, None).unwrap();
    webhook.tick(&rows(&["a", "b", "c", "d"])).unwrap();
    assert_eq!(webhook.finish(), Posted { sent: 2, retried: 1, refused: 2, ..Posted::default() });
    assert_eq!(keys(&told), ["a", "a", "b", "c", "d"]);
}

#[test]
fn a_full_queue_gives_up_the_oldest() {
    // Nobody listens there: every attempt fails at once.
    let url = format!("http://{}/", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let mut webhook = Webhook::start(&settings(&url, 2), 0, None).unwrap();
    webhook.tick(&rows(&["a", "b", "c", "d"])).unwrap();
    let stats = webhook.stats();
    assert_eq!((stats.dropped, stats.waiting), (2, 2));
    let mut marks = Marks::new();
    webhook.save(&mut marks).unwrap();
    webhook.shared.state().until = Some(Instant::now());
    assert_eq!(webhook.finish().waiting, 2);

    // A restart from this checkpoint posts what waited, and nothing that was out before.
    let (url, told) = receiver(&[]);
    let mut webhook = Webhook::start(&settings(&url, 10), 7, None).unwrap();
    webhook.resume(&marks).unwrap();
    webhook.tick(&rows(&["e"])).unwrap();
    assert_eq!(webhook.finish().sent, 3);
    assert_eq!(keys(&told), ["c", "d", "e"]);
}

#[test]
fn without_a_checkpoint_what_is_known_to_be_out_is_not_posted() {
    let (url, told) = receiver(&[]);
    let mut webhook = Webhook::start(&settings(&url, 10), 0, Some(1)).unwrap();
    for (epoch, id) in ["a", "b", "c"].into_iter().enumerate() {
        webhook.tick(&rows(&[id])).unwrap();
        let line = format!(r#"{{"epoch":{epoch},"before":4,"after":5,"blocks":[]}}"#);
        webhook.epoch(&crate::source::bindings::read(&line).unwrap()).unwrap();
    }
    assert_eq!(webhook.finish().sent, 1);
    assert_eq!(keys(&told), ["c"]);
}

#[test]
fn an_address_that_cannot_be_posted_to_is_refused_without_being_shown() {
    for url in ["ftp://s3cret", "s3cret", "http://"] {
        let refusal = Webhook::start(&settings(url, 1), 0, None).err().unwrap().to_string();
        assert!(refusal.contains("begins with http:// or https://") && !refusal.contains("s3cret"), "{refusal}");
    }
}
