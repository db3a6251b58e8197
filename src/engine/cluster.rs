//! Connecting the processes of a cluster.
//!
//! Done here rather than by timely, which retries for ever, prints its progress to stdout, where rows may go, and panics on
//! what it does not expect. Each process dials those before it and is dialled by those after it, in any order of starting. Both
//! ends of a connection say who they are and what they run; processes that do not fit together find out before they start.

use super::abort::Stop;
use crate::error::Error;
use dataflows::dictionary::identity;
use std::any::Any;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use timely::CommunicationConfig;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::initialize::Hooks;

/// How long to wait for all other processes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries to reach a process that is not there yet.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a greeting may take.
const GREETING: Duration = Duration::from_secs(5);
/// The first bytes of a greeting, with the version of what follows.
const MAGIC: &[u8; 8] = b"vitrine2";

/// Who this process is.
pub(super) struct Seat {
    /// Workers.
    pub threads: usize,
    /// Its index.
    pub process: usize,
    /// What must be the same in all processes.
    pub job: String,
    /// On process 0: the epoch of the checkpoint from which the run goes on. The others hear it from there.
    pub from: Option<u64>,
}

/// The workers of a process, connected.
pub(super) struct Crew {
    /// Their ends of the connections.
    pub builders: Vec<AllocatorBuilder>,
    /// What keeps the connections up.
    pub others: Box<dyn Any + Send>,
    /// The epoch of the checkpoint from which the run goes on, as process 0 has decided.
    pub from: Option<u64>,
}

/// The allocators of the workers of this process, connected to all other processes.
pub(super) fn connect(seat: &Seat, addresses: &[String], stop: &Stop) -> Result<Crew, Error> {
    if addresses.len() < 2 {
        let config = if seat.threads == 1 { CommunicationConfig::Thread } else { CommunicationConfig::Process(seat.threads) };
        let (builders, others) = config.try_build().map_err(Error::Bug)?;
        return Ok(Crew { builders, others, from: seat.from });
    }
    let listener = listen(&addresses[seat.process])?;
    let waiting = Waiting { until: Instant::now() + PATIENCE, stop };
    let (mut sockets, mut from) = (vec![], seat.from);
    for (process, address) in addresses.iter().enumerate().take(seat.process) {
        let (socket, theirs) = dial(seat, addresses.len(), process, address, &waiting)?;
        if process == 0 {
            from = theirs.from.checked_sub(1);
        }
        sockets.push(Some(socket));
    }
    sockets.push(None);
    sockets.extend(accept(seat, addresses, &listener, &waiting)?);
    let hooks = Hooks::default();
    let inner = ProcessBuilder::new_typed_vector(seat.threads, hooks.refill.clone(), hooks.spill.clone());
    let (builders, guard) = initialize_networking_from_sockets(inner, sockets, seat.process, seat.threads, hooks)
        .map_err(|e| Error::Unavailable(format!("cannot set up the connections of the cluster: {e}")))?;
    Ok(Crew { builders: builders.into_iter().map(AllocatorBuilder::Tcp).collect(), others: Box::new(guard), from })
}

fn listen(address: &str) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(address).map_err(|e| {
        let advice = match e.kind() {
            ErrorKind::AddrInUse => "the address is in use; end what uses it, or give other ports in a --hostfile".to_owned(),
            ErrorKind::AddrNotAvailable => "it is no address of this machine; check the --hostfile and -p".to_owned(),
            _ => e.to_string(),
        };
        Error::Unavailable(format!("cannot listen on {address}: {advice}"))
    })?;
    listener.set_nonblocking(true).map_err(|e| Error::Unavailable(format!("cannot listen on {address}: {e}")))?;
    Ok(listener)
}

/// How long one may wait for others.
struct Waiting<'a> {
    until: Instant,
    stop: &'a Stop,
}

impl Waiting<'_> {
    /// A pause, unless one has waited long enough for `whom`.
    fn pause(&self, whom: impl Fn() -> String) -> Result<(), Error> {
        if self.stop.requested() {
            return Err(Error::Unavailable(format!("stopped while waiting for {}", whom())));
        }
        if Instant::now() >= self.until {
            let seconds = PATIENCE.as_secs();
            return Err(Error::Unavailable(format!("waited {seconds} s for {}; start all processes of the cluster", whom())));
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }
}

fn dial(seat: &Seat, processes: usize, to: usize, address: &str, waiting: &Waiting) -> Result<(TcpStream, Greeting), Error> {
    loop {
        if let Ok(mut socket) = TcpStream::connect(address) {
            let theirs = greet(&mut socket, seat, processes)
                .and_then(|()| heard(&mut socket))
                .map_err(|e| Error::Unavailable(format!("process {to} at {address} does not answer as one of ours: {e}")))?;
            theirs.fits(seat, processes, to)?;
            return Ok((socket, theirs));
        }
        waiting.pause(|| format!("process {to} at {address}"))?;
    }
}

/// Accepts the processes after this one.
fn accept(seat: &Seat, addresses: &[String], listener: &TcpListener, waiting: &Waiting) -> Result<Vec<Option<TcpStream>>, Error> {
    let first = seat.process + 1;
    let mut sockets: Vec<Option<TcpStream>> = addresses[first..].iter().map(|_| None).collect();
    while let Some(missing) = sockets.iter().position(Option::is_none) {
        let mut socket = match listener.accept() {
            Ok((socket, _)) => socket,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                waiting.pause(|| format!("process {} at {}", first + missing, addresses[first + missing]))?;
                continue;
            }
            Err(e) => return Err(Error::Unavailable(format!("cannot accept connections: {e}"))),
        };
        // Someone who does not talk like one of ours has come to the wrong door.
        let Ok(theirs) = socket.set_nonblocking(false).and_then(|()| heard(&mut socket)) else { continue };
        if greet(&mut socket, seat, addresses.len()).is_err() {
            continue;
        }
        let process = theirs.process as usize;
        theirs.fits(seat, addresses.len(), process)?;
        match sockets.get_mut(process.wrapping_sub(first)) {
            Some(place @ None) => *place = Some(socket),
            _ => {
                return Err(Error::Settings(format!("two processes of the cluster say they are process {process}: check -p")));
            }
        }
    }
    Ok(sockets)
}

/// What a process says of itself.
struct Greeting {
    process: u64,
    processes: u64,
    threads: u64,
    job: u64,
    /// The epoch of the checkpoint and one more; 0 for none.
    from: u64,
}

fn hash(job: &str) -> u64 {
    identity(job.as_bytes()) as u64
}

fn greet(socket: &mut TcpStream, seat: &Seat, processes: usize) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut bytes = MAGIC.to_vec();
    let from = seat.from.map_or(0, |epoch| epoch + 1);
    for number in [seat.process as u64, processes as u64, seat.threads as u64, hash(&seat.job), from] {
        bytes.extend(number.to_le_bytes());
    }
    socket.write_all(&bytes)
}

fn heard(socket: &mut TcpStream) -> std::io::Result<Greeting> {
    socket.set_read_timeout(Some(GREETING))?;
    let mut bytes = [0; 48];
    socket.read_exact(&mut bytes)?;
    socket.set_read_timeout(None)?;
    let number = |i: usize| u64::from_le_bytes(std::array::from_fn(|k| bytes[8 * i + k]));
    if !bytes.starts_with(MAGIC) {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "another program, or another version of this one"));
    }
    Ok(Greeting { process: number(1), processes: number(2), threads: number(3), job: number(4), from: number(5) })
}

impl Greeting {
    /// Whether the other end can work with this one.
    fn fits(&self, seat: &Seat, processes: usize, expected: usize) -> Result<(), Error> {
        let other = self.process;
        let problem = if other != expected as u64 {
            format!("process {expected} says it is process {other}: check -p and the --hostfile")
        } else if self.processes != processes as u64 {
            format!("process {other} was started with -n {}, this one with -n {processes}", self.processes)
        } else if self.threads != seat.threads as u64 {
            format!("process {other} was started with -w {}, this one with -w {}", self.threads, seat.threads)
        } else if self.job != hash(&seat.job) {
            format!("process {other} was started with other inputs or settings than this one; they must be the same")
        } else {
            return Ok(());
        };
        Err(Error::Settings(problem))
    }
}
