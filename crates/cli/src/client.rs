//! Talking to a running node over its control socket (`docs/control-socket.md`).

use crate::args::Common;
use crate::failure::{Failure, Outcome};
use noctule_daemon::api::{Mesh, ProbeAnswer, Reply, ReplyLine, Request, RequestLine, VERSION};
use noctule_daemon::settings::{MESH_DEFAULT, default_socket};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the daemon may take beyond what was asked of it.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection to a running node.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

impl Client {
    /// Connects to the node that the command line means.
    ///
    /// # Errors
    /// One sentence with the fix.
    pub(crate) fn connect(common: &Common) -> Outcome<Self> {
        let mesh = common.mesh.as_deref().unwrap_or(MESH_DEFAULT);
        let path = common.socket.clone().unwrap_or_else(|| default_socket(mesh));
        let shown = path.display();
        let stream = UnixStream::connect(&path).map_err(|error| {
            Failure::trouble(match error.kind() {
                ErrorKind::ConnectionRefused if is_no_socket(&path) => {
                    format!("{shown} is not a socket: say where the control socket is with --socket")
                }
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused => format!(
                    "no node is running at {shown}: start one with \"noctule run --mesh {mesh} --interface ...\", or say where with --mesh or --socket"
                ),
                ErrorKind::PermissionDenied => {
                    format!("not permitted to use {shown}: run it as the user that runs the node, or with sudo")
                }
                _ => format!("cannot connect to {shown}: {error}"),
            })
        })?;
        let client = Self { stream: BufReader::new(stream), path };
        let stream = client.stream.get_ref();
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(|error| client.lost(&error))?;
        Ok(client)
    }

    /// Asks one thing and waits for the answer.
    ///
    /// # Errors
    /// One sentence: the daemon's, or about the connection.
    pub(crate) fn ask(&mut self, request: Request) -> Outcome<ReplyLine> {
        self.send(request)?;
        self.receive()
    }

    /// Asks for a table, which comes with the mesh that it belongs to.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn table(&mut self, request: Request) -> Outcome<(Mesh, Reply)> {
        let line = self.ask(request)?;
        let mesh = line.mesh.ok_or_else(|| self.strange())?;
        Ok((mesh, line.reply))
    }

    /// Asks without waiting. Follow it by [`Self::receive`].
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn send(&mut self, request: Request) -> Outcome<()> {
        let mut line = serde_json::to_vec(&RequestLine::new(request))
            .map_err(|error| Failure::trouble(format!("cannot write the request: {error}")))?;
        line.push(b'\n');
        let mut stream = self.stream.get_ref();
        match stream.write_all(&line) {
            // It has closed the connection, and says why in a line that can still be read.
            Err(error) if crate::reader_left(&error) => Ok(()),
            written => written.map_err(|error| self.lost(&error)),
        }
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn receive(&mut self) -> Outcome<ReplyLine> {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line);
        read.map_err(|error| self.lost(&error))?;
        if !line.ends_with(b"\n") {
            let shown = self.path.display();
            return Err(Failure::trouble(format!(
                "the node at {shown} closed the connection: see its log"
            )));
        }
        let reply: ReplyLine = serde_json::from_slice(&line).map_err(|_| self.strange())?;
        if reply.noctule != VERSION {
            return Err(self.strange());
        }
        match reply.reply {
            Reply::Error(sentence) => Err(Failure::Trouble(sentence)),
            _ => Ok(reply),
        }
    }

    /// Takes the answer to a probe, which may be that there is none.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn receive_answer(&mut self) -> Outcome<Option<ProbeAnswer>> {
        match self.receive()?.reply {
            Reply::Probe(answer) => Ok(answer),
            _ => Err(self.strange()),
        }
    }

    /// Whether something was read that [`Self::receive`] has not handed out yet.
    pub(crate) fn has_more(&self) -> bool {
        !self.stream.buffer().is_empty()
    }

    /// Lets [`Self::receive`] wait so much longer.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn expect_within(&self, time: Duration) -> Outcome<()> {
        self.stream
            .get_ref()
            .set_read_timeout(Some(time + PATIENCE))
            .map_err(|error| self.lost(&error))
    }

    /// The daemon said something that this version does not understand.
    pub(crate) fn strange(&self) -> Failure {
        let shown = self.path.display();
        Failure::trouble(format!(
            "the node at {shown} runs another version: restart it, or use its own noctule"
        ))
    }

    fn lost(&self, error: &std::io::Error) -> Failure {
        let shown = self.path.display();
        Failure::trouble(match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("the node at {shown} does not answer: see its log")
            }
            _ => format!("the connection to the node at {shown} is lost: see its log"),
        })
    }
}

/// Whether something else is there.
fn is_no_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.file_type().is_socket())
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.get_ref().as_fd()
    }
}
