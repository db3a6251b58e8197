//! What a node is told: its settings, its log, its identity.

use crate::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// One node that is broker and controller. What a cluster keeps three times, it keeps once; waits that help a cluster to
/// settle are left out.
pub fn properties(data: &Path, port: u16, controller: u16, further: &str) -> String {
    let listeners = |line: &str| Some(format!(",{}", line.strip_prefix("listeners=")?.trim()));
    let more: String = further.lines().filter_map(listeners).collect();
    let further: String = further.lines().filter(|line| listeners(line).is_none()).map(|line| format!("{line}\n")).collect();
    let data = data.display().to_string().replace('\\', "\\\\");
    format!(
        "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             controller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{more}\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n\
             log.dirs={data}\n\
             auto.create.topics.enable=false\n\
             offsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\n\
             share.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\n\
             share.coordinator.state.topic.num.partitions=1\n\
             group.initial.rebalance.delay.ms=0\n\
             transaction.abort.timed.out.transaction.cleanup.interval.ms=1000\n\
             num.network.threads=2\n\
             num.io.threads=4\n\
             background.threads=2\n\
             {further}"
    )
}

/// A random identity of a cluster: 16 bytes in base64, as Kafka writes them. One that began with `-` would be taken for a flag.
pub fn identity() -> Result<String, Error> {
    use base64::Engine;
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|e| Error::Unavailable(format!("cannot read /dev/urandom: {e}")))?;
    bytes[0] &= 0x7f;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// To standard output, which is the node's log file.
pub const LOG: &str = "status = warn\n\
                   appender.out.type = Console\n\
                   appender.out.name = out\n\
                   appender.out.layout.type = PatternLayout\n\
                   appender.out.layout.pattern = %d{ISO8601} %-5p %m (%c{1})%n\n\
                   rootLogger.level = info\n\
                   rootLogger.appenderRef.out.ref = out\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_never_look_like_flags() {
        for _ in 0..200 {
            let identity = identity().unwrap();
            assert!(identity.len() == 22 && !identity.starts_with(['-', '_']), "{identity}");
        }
    }

    #[test]
    fn listeners_of_the_person_come_on_top_of_ours() {
        let text = properties(Path::new("/d"), 1, 2, "listeners=SSL://127.0.0.1:3\nnum.io.threads=9\n");
        let lines = |name: &str| text.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>();
        assert_eq!(lines("listeners="), ["listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2,SSL://127.0.0.1:3"]);
        // The last one counts.
        assert_eq!(lines("num.io.threads="), ["num.io.threads=4", "num.io.threads=9"]);
    }
}
