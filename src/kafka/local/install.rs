//! Where Kafka's classes are: in `KAFKA_HOME`, or in the cache, fetched by Maven when they are not there yet.
//!
//! Maven is used rather than a download of our own because it knows the machine's proxies, mirrors and credentials.

use crate::error::Error;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version that is fetched, and that the tests run on.
pub const VERSION: &str = "4.1.1";

/// The oldest Java that it runs on.
const JAVA: u32 = 17;

/// The oldest Kafka that is taken from `KAFKA_HOME`.
const OLDEST: u32 = 4;

/// What is fetched: Kafka, and a log that writes. All else follows from these.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>vitrine</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.1.1</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.24.3</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
"#;

/// The goal, with the version of its plugin, so that every machine fetches the same.
const GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// A variable of the environment.
pub type Var<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a broker is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// The Java that runs it.
    pub java: PathBuf,
    /// Where its classes are.
    pub libs: PathBuf,
    /// Its version.
    pub version: String,
}

impl Install {
    /// As Java takes it: all jars of the folder.
    pub fn classpath(&self) -> OsString {
        self.libs.join("*").into_os_string()
    }
}

/// Finds Kafka and Java, and fetches Kafka when it is not there yet. `tell` hears what is being fetched.
///
/// # Errors
/// In plain words what is missing, all of it at once, and how to get it.
pub fn find(var: Var<'_>, tell: &mut dyn FnMut(&str)) -> Result<Install, Error> {
    let java = java(var);
    let there = match var("KAFKA_HOME") {
        Some(home) => Some(in_home(Path::new(&home))?),
        None => Some(cache(var)?.join("libs")).filter(|libs| whole(libs)).map(|libs| (libs, VERSION.to_owned())),
    };
    let (java, (libs, version)) = match (java, there) {
        (Ok(java), Some(there)) => (java, there),
        (Ok(java), None) => (java.clone(), (fetch(&cache(var)?, &java, tell)?, VERSION.to_owned())),
        (Err(missing), None) if maven().is_none() => return Err(Error::Unavailable(format!("{missing}\n{NO_KAFKA}"))),
        (Err(missing), _) => return Err(Error::Unavailable(missing)),
    };
    Ok(Install { java, libs, version })
}

const NO_KAFKA: &str = "Apache Kafka is not there: set KAFKA_HOME to the folder of a Kafka 4, or install Maven, which fetches it \
                        (on Debian: apt-get install maven)";

fn java(var: Var<'_>) -> Result<PathBuf, String> {
    let advice = format!("Kafka needs Java {JAVA} or newer (on Debian: apt-get install openjdk-17-jre-headless)");
    let home = var("JAVA_HOME").map(|home| Path::new(&home).join("bin/java")).filter(|java| java.is_file());
    let java = home.unwrap_or_else(|| PathBuf::from("java"));
    let Ok(said) = Command::new(&java).arg("-version").stdin(Stdio::null()).output() else {
        return Err(format!("there is no Java: {advice}"));
    };
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    match java_version(&text) {
        Some(version) if version >= JAVA => Ok(java),
        Some(version) => Err(format!("{} is Java {version}: {advice}", java.display())),
        None => {
            let first = text.lines().next().unwrap_or("nothing").to_owned();
            Err(format!("{} -version says {first:?}: {advice}", java.display()))
        }
    }
}

/// The main version in what `java -version` says; before 9 it was the second number.
fn java_version(said: &str) -> Option<u32> {
    let quoted = said.lines().find(|line| line.contains(" version \""))?.split('"').nth(1)?;
    let mut numbers = quoted.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        version => Some(version),
    }
}

fn in_home(home: &Path) -> Result<(PathBuf, String), Error> {
    let libs = home.join("libs");
    let version = std::fs::read_dir(&libs).into_iter().flatten().flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_prefix("kafka-clients-")?.strip_suffix(".jar")?.to_owned())
    });
    let Some(version) = version else {
        return Err(Error::Unavailable(format!(
            "KAFKA_HOME is {}, but there is no Kafka in its folder libs; unset it, or let it name the folder of a Kafka {OLDEST}",
            home.display()
        )));
    };
    match version.split('.').next().and_then(|main| main.parse::<u32>().ok()) {
        Some(main) if main >= OLDEST => Ok((libs, version)),
        _ => Err(Error::Unavailable(format!("KAFKA_HOME holds Kafka {version}; it must be {OLDEST}.0 or newer"))),
    }
}

fn cache(var: Var<'_>) -> Result<PathBuf, Error> {
    let base = var("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(var("HOME")?).join(".cache")));
    let base = base.ok_or_else(|| Error::Unavailable("no place for a cache: set HOME or XDG_CACHE_HOME".into()))?;
    Ok(base.join("vitrine").join(format!("kafka-{VERSION}")))
}

fn whole(libs: &Path) -> bool {
    libs.join(format!("kafka_2.13-{VERSION}.jar")).is_file()
}

fn maven() -> Option<String> {
    let said = Command::new("mvn").arg("-version").stdin(Stdio::null()).output().ok()?;
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or_default().to_owned())
}

/// Fetches into a folder beside `to`, which gets its name when all is there.
fn fetch(to: &Path, java: &Path, tell: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
    let io = |e: std::io::Error| Error::Output(format!("cannot write to {}: {e}", to.display()));
    let partial = to.with_extension(format!("partial-{}", std::process::id()));
    std::fs::create_dir_all(&partial).map_err(io)?;
    std::fs::write(partial.join("pom.xml"), POM).map_err(io)?;
    let mut mvn = Command::new("mvn");
    mvn.args(["-B", GOAL, "-DincludeScope=runtime", "-DoutputDirectory=libs"]).current_dir(&partial);
    if let Some(home) = java.parent().and_then(Path::parent).filter(|home| home.is_absolute()) {
        mvn.env("JAVA_HOME", home);
    }
    let child = mvn.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = match child {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(Error::Unavailable(NO_KAFKA.into())),
        child => child.map_err(|e| Error::Unavailable(format!("cannot run Maven: {e}")))?,
    };
    let mut errors = vec![];
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
        if let Some(name) = fetched(&line) {
            tell(name);
        } else if let Some(error) = line.strip_prefix("[ERROR] ") {
            errors.push(error.trim().to_owned());
        }
    }
    let ended = child.wait().map_err(|e| Error::Unavailable(format!("cannot run Maven: {e}")))?;
    if !ended.success() || !whole(&partial.join("libs")) {
        let _ = std::fs::remove_dir_all(&partial); // what is left of a failure is of no use
        let why = errors.into_iter().find(|error| !error.is_empty()).unwrap_or_else(|| format!("Maven ended with {ended}"));
        return Err(Error::Unavailable(format!("Maven cannot fetch Apache Kafka {VERSION}: {why}")));
    }
    if std::fs::rename(&partial, to).is_err() {
        let _ = std::fs::remove_dir_all(&partial); // somebody else was faster
    }
    let libs = to.join("libs");
    match whole(&libs) {
        true => Ok(libs),
        false => Err(Error::Output(format!("{} is in the way: remove it and try again", to.display()))),
    }
}

/// The jar that a line of Maven's speaks of.
fn fetched(line: &str) -> Option<&str> {
    let line = line.strip_prefix("[INFO] ")?;
    let place = line.strip_prefix("Downloaded from ").or_else(|| line.strip_prefix("Copying "))?;
    let jar = place.split_whitespace().find(|word| word.ends_with(".jar"))?;
    jar.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pom_asks_for_the_version_that_is_named() {
        assert!(POM.contains(&format!("<artifactId>kafka_2.13</artifactId><version>{VERSION}</version>")));
    }

    #[test]
    fn javas_say_their_version_in_several_ways() {
        assert_eq!(java_version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(java_version("Picked up JAVA_TOOL_OPTIONS: -Xmx1g\njava version \"1.8.0_292\""), Some(8));
        assert_eq!(java_version("openjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(java_version("No Java runtime present"), None);
    }

    #[test]
    fn maven_names_what_it_fetches() {
        let line =
            "[INFO] Downloaded from central: https://repo.maven.apache.org/maven2/a/kafka-raft-4.1.1.jar (1.2 MB at 3 MB/s)";
        assert_eq!(fetched(line), Some("kafka-raft-4.1.1.jar"));
        assert_eq!(fetched("[INFO] Copying re2j-1.8.jar to /x/libs/re2j-1.8.jar"), Some("re2j-1.8.jar"));
        assert_eq!(fetched("[INFO] Downloaded from central: https://repo.maven.apache.org/maven2/a/a.pom (2 kB)"), None);
        assert_eq!(fetched("[INFO] BUILD SUCCESS"), None);
    }

    #[test]
    fn a_kafka_home_is_what_its_jars_say() {
        let home = tempfile::tempdir().unwrap();
        let problem = || in_home(home.path()).unwrap_err().to_string();
        assert!(problem().contains("there is no Kafka in its folder libs"), "{}", problem());
        std::fs::create_dir(home.path().join("libs")).unwrap();
        std::fs::write(home.path().join("libs/kafka-clients-3.9.1.jar"), "").unwrap();
        assert_eq!(problem(), "KAFKA_HOME holds Kafka 3.9.1; it must be 4.0 or newer");
        std::fs::rename(home.path().join("libs/kafka-clients-3.9.1.jar"), home.path().join("libs/kafka-clients-4.0.0.jar"))
            .unwrap();
        assert_eq!(in_home(home.path()), Ok((home.path().join("libs"), "4.0.0".into())));
    }
}
