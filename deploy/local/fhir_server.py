"""A HAPI FHIR R4 server on a free port of this host, its resources in memory or in a file."""

import os
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from deploy.local import maven
from deploy.local.java_process import HOST, JavaProcess, free_port

SOURCES = Path(__file__).resolve().parent / "fhir-server"
# The first compiler alone: a test run is over before the second one has paid for itself.
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true")
HEAP = "-Xmx1500m"


class FhirServer:
    """One server over one folder; it keeps its address over a restart, and with a file its resources as well."""

    def __init__(self, folder: Path, port: int | None = None, database: Literal["memory", "file"] = "memory") -> None:
        """Choose the port unless it is given, and where the resources are held."""
        self._folder = folder.resolve()
        self.log = self._folder / "fhir-server.log"
        self._database = database
        self._port = free_port() if port is None else port
        self._process: JavaProcess | None = None

    @property
    def base_url(self) -> str:
        """The address of the FHIR endpoint."""
        return f"http://{HOST}:{self._port}/fhir"

    @property
    def pid(self) -> int | None:
        """The process id, while the server runs."""
        return self._process.pid if self._process is not None and self._process.running else None

    @property
    def running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self.pid is not None

    def start(self) -> None:
        """Start, and return when requests are answered."""
        if self._process is None:
            self._process = self._prepared()
        try:
            self._process.start()
            self._process.wait_until_listening()  # it opens its port when all else is done
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server in order and return when it is gone."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """End the server by SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _prepared(self) -> JavaProcess:
        """The process over the built server and this folder."""
        target = maven.build(SOURCES)
        self._folder.mkdir(parents=True, exist_ok=True)
        arguments = [
            HEAP,
            *QUICK_START,
            f"-Dfhir.port={self._port}",
            f"-Dfhir.database={self._address_of_database()}",
            "-cp",
            os.pathsep.join((f"{target}/*", f"{target}/lib/*")),
            "FhirServer",
        ]
        return JavaProcess(arguments, self.log, self._port, self._folder)

    def _address_of_database(self) -> str:
        """The JDBC address; a file is written before a request is answered, or a kill would take back what was said."""
        if self._database == "memory":
            return "jdbc:h2:mem:fhir;DB_CLOSE_DELAY=-1"
        return f"jdbc:h2:file:{self._folder / 'resources'};WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE;TRACE_LEVEL_FILE=0"
