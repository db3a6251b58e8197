//! Tokens from an OpenID Connect provider, on a broker that asks for one. Needs `--features oidc`: `just tls`.
//!
//! The provider is a few lines here; its tokens are not signed, which the broker's own development handler accepts.

use super::broker::{Broker, available, vitrine};
use super::read::{Sees, read};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

const CLIENT: &str = "shop";
const SECRET: &str = "geheim-77aa";

/// `{"alg":"none"}` and who it is for how long.
fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = serde_json::json!({ "sub": CLIENT, "scope": "sales", "iat": now, "exp": now + 600 });
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims.to_string()))
}

/// Answers one request for a token: with one for whoever knows the secret and asks for the scope.
fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut known, mut length) = (false, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap_or(0);
        }
        let basic = BASE64_STANDARD.encode(format!("{CLIENT}:{SECRET}"));
        known |= name.eq_ignore_ascii_case("authorization") && value == format!("Basic {basic}");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let asked = String::from_utf8_lossy(&body).into_owned();
    let good = known && asked.contains("grant_type=client_credentials") && asked.contains("scope=sales");
    let (status, text) = match good {
        true => ("200 OK", serde_json::json!({ "access_token": token(), "token_type": "Bearer", "expires_in": 600 })),
        false => ("401 Unauthorized", serde_json::json!({ "error": "invalid_client", "error_description": "who is that?" })),
    };
    let text = text.to_string();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", text.len());
    write!(reader.get_mut(), "{head}Connection: close\r\n\r\n{text}")
}

/// A provider that runs until the test process ends: where it gives tokens.
fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().for_each(|stream| _ = stream.and_then(answer)));
    url
}

#[test]
fn a_token_opens_the_door_and_a_wrong_secret_does_not() {
    if !available() {
        return;
    }
    let address = format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
    let properties = format!(
        "listeners=SASL_PLAINTEXT://{address}\n\
         sasl.enabled.mechanisms=OAUTHBEARER\n\
         listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config={module} required unsecuredLoginStringClaim_sub=\"broker\";\n"
    );
    let broker = Broker::prepared(properties, |_| ());
    let kafka = broker.settings("oidc");
    let url = provider();
    let produce = |secret: &str| {
        let mut command = vitrine(&["produce", "--brokers", &address, "--topic", &kafka.topic, "--sales", "50", "-q"]);
        let settings = [
            ("SECURITY", "sasl_plaintext"),
            ("MECHANISM", "OAUTHBEARER"),
            ("OAUTH_TOKEN_URL", &url),
            ("OAUTH_CLIENT_ID", CLIENT),
            ("OAUTH_SCOPE", "sales"),
            ("OAUTH_CLIENT_SECRET", secret),
        ];
        let named = settings.iter().map(|(name, value)| (format!("VITRINE__KAFKA__{name}"), (*value).to_owned()));
        let output = command.envs(named).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(produce(SECRET), (Some(0), String::new()));
    assert_eq!(read(&kafka, &kafka.topic, Sees::Committed).len(), 50);
    let wrong = produce("guess-991");
    assert!(
        wrong.0 == Some(69)
            && wrong.1.contains("OAUTHBEARER token")
            && wrong.1.contains("invalid_client")
            && !wrong.1.contains("guess-991"),
        "{wrong:?}"
    );
}
