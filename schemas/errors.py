"""Numbered errors: each says in one line what happened and what to do, and holds no PHI.

Three kinds steer the runner: *retry* (slow down and try again), *reject* (this report can never succeed), *fatal*
(the configuration is wrong: exit and say what to fix). A retired number is never used again. Ranges: 1xx intake and
documents, 2xx text steps, 3xx model, 4xx mapping and emission, 5xx bus and runner, 6xx configuration and packs,
7xx training and commands.
"""

from enum import Enum, StrEnum

_GOES_ON = "what still runs goes on by itself, a command that has ended must be given again"


class Kind(StrEnum):
    """What the runner does with an error."""

    RETRY = "retry"
    REJECT = "reject"
    FATAL = "fatal"


def _retry(number: int, message: str, remedy: str) -> tuple[int, Kind, str, str]:
    return number, Kind.RETRY, message, remedy


def _reject(number: int, message: str, remedy: str) -> tuple[int, Kind, str, str]:
    return number, Kind.REJECT, message, remedy


def _fatal(number: int, message: str, remedy: str) -> tuple[int, Kind, str, str]:
    return number, Kind.FATAL, message, remedy


class Code(Enum):
    """Every error: number, kind, message (may name `{detail}`), remedy."""

    NOT_JSON = _reject(
        101, "the message is not JSON ({detail})", "publish a FHIR R4 DiagnosticReport or Bundle as JSON"
    )
    WRONG_RESOURCE = _reject(
        102,
        "expected a DiagnosticReport, or a Bundle that holds exactly one, found {detail}",
        "publish one DiagnosticReport a message",
    )
    NOT_A_CHECKPOINT = _fatal(
        301,
        "no checkpoint at {detail}",
        "set model.path to a folder or hub id with synoptic.json; `synoptic train` makes one",
    )
    UNSAFE_WEIGHTS = _fatal(
        302,
        "pickled weights are refused: {detail}",
        "convert them to safetensors; a pickle can run code when it is read",
    )
    DIGEST_MISMATCH = _fatal(
        303, "a file of the checkpoint is not the one that was saved: {detail}", "fetch or train the checkpoint again"
    )
    BAD_CHECKPOINT = _fatal(304, "the checkpoint has faults: {detail}", "fetch or train the checkpoint again")
    PACK_MISMATCH = _fatal(
        305,
        "the checkpoint was trained for another pack: {detail}",
        "train the adapter again for this pack, or use the pack version that it was trained with",
    )
    UNKNOWN_PROMPT_VERSION = _fatal(
        306,
        "the checkpoint was trained with an unknown prompt version: {detail}",
        "use the Synoptic version that trained it, or train the adapter again",
    )
    PROMPT_MISMATCH = _fatal(
        307,
        "a prompt asks what the checkpoint was not trained on: {detail}",
        "render prompts with the checkpoint's granularity and label set",
    )
    PROMPT_TOO_LONG = _fatal(
        308,
        "the fixed blocks of the prompt exceed its token limit: {detail}",
        "use granularity per_task, or fewer classes",
    )
    BACKBONE_UNAVAILABLE = _fatal(
        309,
        "the backbone cannot be loaded: {detail}",
        "give a Llama-architecture model in safetensors, by folder or by hub id with access granted",
    )
    DEVICE_UNAVAILABLE = _fatal(310, "model.device cannot be used: {detail}", "set model.device to cpu or cuda")
    STORE_UNAVAILABLE = _retry(
        451,
        "the resource store cannot be read or written ({detail})",
        f"look at the FHIR server, or the folder's free space and rights; {_GOES_ON}",
    )
    STORE_UNUSABLE = _reject(
        453,
        "the resource store holds what is no FHIR resource ({detail})",
        "correct or remove that file, then `synoptic rejected replay`",
    )
    STORE_CONTENDED = _retry(
        454, "others changed the same resources at every attempt ({detail})", "nothing to do: it is compared again"
    )
    MISSING_TARGET = _reject(
        455,
        "the store does not hold what the report refers to ({detail})",
        "load it, or correct the reference; then `synoptic rejected replay`",
    )
    NOT_FINDINGS = _reject(
        456,
        "the message holds no report findings of a known version ({detail})",
        "run the same release in all hops, then `synoptic rejected replay`",
    )
    PERSONS_VERSION = _reject(
        457,
        "a person's version stands in the store and was kept ({detail})",
        "look at the recorded conflicts and settle each by hand",
    )
    STORE_REFUSES = _fatal(
        458,
        "the FHIR server refuses this client ({detail})",
        "correct fhir.bearer_token or its file, and the rights behind it; `synoptic doctor` tries them",
    )
    STORE_REJECTS = _reject(
        459,
        "the FHIR server rejects the resources ({detail})",
        "see the server's own log at that time; correct the mapping or the server, then `synoptic rejected replay`",
    )
    NO_ORGANIZATION = _fatal(
        460,
        "the FHIR server does not hold fhir.organization",
        "create that Organization, or name the one that runs Synoptic",
    )
    UNGUARDED_STORE = _fatal(
        461,
        "the FHIR server does not guard writes ({detail})",
        "use a server with transactions, update-as-create and versioned updates; `synoptic doctor` shows what it lacks",
    )
    NOT_DUE = _retry(
        462,
        "what these findings wait for is not looked up again yet ({detail})",
        "nothing to do: it is looked up every fhir.target_retry_seconds",
    )
    REGISTRY_UNAVAILABLE = _retry(
        470,
        "a registry does not take deliveries at present ({detail})",
        "look at the registry's server or folder; it is tried again, and no other registry waits",
    )
    REGISTRY_REFUSES = _retry(
        471,
        "a registry refuses this client, or its address is wrong ({detail})",
        "correct deliver.fhir in the registry's file, or the rights behind it; it is tried again, and no other waits",
    )
    REGISTRY_REJECTS = _reject(
        472,
        "a registry rejects a delivery ({detail})",
        "see the registry's own log at that time; correct what it names, then `synoptic rejected replay`",
    )
    NOT_CODED = _reject(
        473,
        "the message holds no Bundle as emission publishes it ({detail})",
        "let emission of the same release write the topic",
    )
    UNRESOLVED = _reject(
        474,
        "what a delivery must hold cannot be found ({detail})",
        "have the report and its Patient on the EHR's FHIR server, or in the report's message; "
        "then `synoptic rejected replay`",
    )
    BAD_SUBSCRIPTION = _fatal(
        475, "a registry's file has faults: {detail}", "correct the file at that line; `synoptic registry check`"
    )
    REGISTRY_PAUSED = _retry(476, "the registry is paused ({detail})", "`synoptic registry resume` lets it go on")
    NO_REGISTRY = _fatal(
        477, "there is no registry {detail}", "`synoptic registry list` shows those of registry.folder"
    )
    REGISTRY_STATE = _fatal(
        478,
        "the file of what registries were sent cannot be used ({detail})",
        "correct registry.state, or its rights; without the file, what is sent again is told by its identifier",
    )
    REGISTRY_RUNS = _fatal(
        479,
        "a process reads for this registry at present, so its place on Kafka cannot be moved ({detail})",
        "end the process that runs it, move the place, and start it again",
    )
    NOT_IN_REVIEW = _reject(
        463,
        "nothing waits for this decision any more",
        "a later version of the report came, or somebody settled it elsewhere; `synoptic review list` shows what waits",
    )
    CHANGED_SINCE = _reject(
        464,
        "something changed since the person looked ({detail})",
        "look again with `synoptic review show`, and decide anew",
    )
    NO_SUCH_VALUE = _reject(465, "this finding has no such value; known are: {detail}", "give one of these")
    NO_REVIEWER = _reject(
        466,
        "nobody is named who decides ({detail})",
        "give --by, or set review.by: Practitioner/ and an id, or system|value",
    )
    NOTHING_TO_WRITE = _reject(
        467,
        "the mapping makes no resource of this decision",
        "`synoptic review correct` with the whole form, such as pT2; or settle first whether there is a cancer, or dismiss",
    )
    NO_REVIEW_ITEM = _reject(468, "there is no review item {detail}", "`synoptic review list` shows their numbers")
    NOT_A_DECISION = _reject(
        469,
        "the message holds no review decision of a known version ({detail})",
        "run the same release everywhere, then `synoptic rejected replay`",
    )
    BAD_CONDITION = _reject(
        483,
        "a registry's criteria.fhirpath cannot be evaluated for this report ({detail})",
        "correct the expression in the registry's file, then `synoptic rejected replay`",
    )
    TOKEN_REFUSED = _fatal(
        480,
        "the token endpoint refuses this client ({detail})",
        "have smart.client_id, smart.scope and the key that `synoptic registry jwks` prints registered there",
    )
    SMART_KEY = _fatal(
        481,
        "the key of SMART Backend Services cannot be used ({detail})",
        "give smart.key_file a private key as PEM or JWK, RSA of 2048 bits or more or EC P-384, in a file that only its "
        "owner reads (chmod 600)",
    )
    NO_TOKEN_ENDPOINT = _fatal(
        482,
        "the server names no token endpoint that can be used ({detail})",
        "set smart.token_url, with https, or have .well-known/smart-configuration corrected",
    )
    BUS_UNAVAILABLE = _retry(
        501,
        "the bus cannot read or store ({detail})",
        f"look at the broker, or the disk's free space and rights; {_GOES_ON}",
    )
    BUS_IN_USE = _fatal(
        502,
        "another process already works on the bus file ({detail})",
        "end the other `synoptic run`, or give this one its own bus.path; several machines need bus.kind kafka",
    )
    BUS_FILE = _fatal(503, "the bus file cannot be used ({detail})", "correct bus.path, or its rights")
    MESSAGE_TOO_LARGE = _reject(
        504, "a message is larger than bus.maximum_message_bytes ({detail})", "send large attachments by url"
    )
    STALE_BATCH = _retry(505, "the batch is no longer this consumer's ({detail})", "nothing to do: it is read again")
    UNEXPECTED = _reject(
        506,
        "an unexpected fault in the program ({detail})",
        "report this line as a defect; after the correction, `synoptic rejected replay`",
    )
    REJECTED_SHARE = _fatal(
        507,
        "the hop stopped because it rejected too large a share of its records ({detail})",
        "see `synoptic rejected list`, correct the cause, then `synoptic rejected acknowledge`",
    )
    OUT_OF_RESOURCES = _retry(
        508,
        "the machine ran out of a resource ({detail})",
        f"free disk space, memory or file handles; {_GOES_ON}",
    )
    BUS_REFUSES = _fatal(
        512,
        "the broker refuses this client ({detail})",
        "correct bus.security_protocol, the user and password or certificates, and the rights behind them",
    )
    FENCED = _retry(
        513,
        "another process took over this one's transactions ({detail})",
        "give every process of a hop its own bus.instance_id",
    )
    NO_TOPIC = _fatal(
        514,
        "a topic is missing or unfit ({detail})",
        "create it as deploy/topics.yaml says, or let bus.create_topics do so",
    )
    UNREADABLE_RECORD = _fatal(
        515,
        "what a topic holds there is damaged and cannot be read ({detail})",
        "mend the broker's disk, or move the group behind that offset with kafka-consumer-groups --reset-offsets and "
        "have the message sent again",
    )
    NO_REJECTED_RECORD = _reject(
        510, "there is no rejected record {detail}", "`synoptic rejected list` shows their numbers"
    )
    NO_HOP = _fatal(511, "there is no hop {detail}", "name intake, extraction, emission or all")
    SLOW_RULE = _reject(
        211,
        "a rule of the pack took too long on this text ({detail})",
        "simplify the pattern of that rule in the pack's facts",
    )
    REPORT_TOO_LARGE = _reject(
        103,
        "the message or file is too large ({detail})",
        "send the attachment smaller, or raise bus.maximum_message_bytes on every topic and client",
    )
    INVALID_RESOURCE = _reject(
        104,
        "the resource breaks FHIR R4 ({detail})",
        "correct the resource where it is made; a FHIR validator shows the same place",
    )
    NO_SUBJECT = _reject(
        105,
        "the report's subject cannot be identified ({detail})",
        "refer to a Patient by literal reference or identifier, or send the Patient with it",
    )
    NO_IDENTIFIER = _reject(
        106,
        "the report has no identifier of a configured system ({detail})",
        "send DiagnosticReport.identifier, or name its system in intake.identifier_systems",
    )
    UNSAFE_IDENTIFIER = _reject(
        107,
        "an id, reference or identifier holds characters that it must not ({detail})",
        "correct it where it is made: no control characters, no path steps, at most 255 characters",
    )
    BAD_STATUS = _reject(
        108,
        "nothing can be done under this DiagnosticReport.status ({detail})",
        "send the report again once its status is known",
    )
    NO_INSTANT = _reject(
        109,
        "the report has neither issued nor meta.lastUpdated",
        "send DiagnosticReport.issued: versions are ordered by it",
    )
    NO_TEXT = _reject(110, "the report holds no text ({detail})", "send presentedForm, conclusion or results with text")
    ATTACHMENT_BY_URL = _reject(
        111,
        "the attachment is only a url that is not fetched ({detail})",
        "send the document itself in presentedForm.data, or as a Binary of the FHIR server that fhir.base_url names",
    )
    ATTACHMENT_TOO_LARGE = _reject(
        112, "the attachment is too large ({detail})", "send it smaller, or raise intake.maximum_attachment_bytes"
    )
    BAD_BASE64 = _reject(113, "the attachment's data is not base64", "encode it as RFC 4648 says, with padding")
    ATTACHMENT_MISMATCH = _reject(
        114, "the attachment was damaged on its way ({detail})", "send it again with the hash and size of its own bytes"
    )
    UNKNOWN_CONTENT_TYPE = _reject(
        115,
        "no reader for this document ({detail})",
        "send plain text, HTML, CDA, RTF, PDF, PNG, JPEG or TIFF with its contentType",
    )
    CONTENT_TYPE_MISMATCH = _reject(
        116, "the document is not what its contentType says ({detail})", "declare the type that the bytes have"
    )
    UNDECODABLE_TEXT = _reject(
        117, "the text's character encoding cannot be told", "send UTF-8, or declare the charset in contentType"
    )
    ENCRYPTED_PDF = _reject(118, "the PDF is encrypted", "send it without a password")
    MALFORMED_PDF = _reject(119, "the PDF is malformed", "make it again; most viewers repair what they show")
    DOCUMENT_LIMIT = _reject(
        120,
        "reading the document went over its limits ({detail})",
        "send a simpler document, or raise the seconds and memory under intake",
    )
    TOO_MANY_PAGES = _reject(
        121, "the document has too many pages ({detail})", "send the report without its appendices"
    )
    BAD_IMAGE = _reject(122, "the image cannot be opened", "send an undamaged PNG, JPEG or TIFF")
    OCR_UNAVAILABLE = _reject(
        123,
        "the document is a scan, and there is no OCR engine for it ({detail})",
        "install the extra `ocr`, or the engine's data as docs/ocr.md says; then `synoptic rejected replay`",
    )
    TOO_DEEP = _reject(
        124, "the JSON is nested too deeply ({detail})", "send the resource without nesting it further than FHIR does"
    )
    UNREADABLE_FILE = _reject(125, "the file cannot be read ({detail})", "check the path and its permissions")
    UNKNOWN_XML = _reject(
        127, "no reader for this kind of XML ({detail})", "send a CDA document, its narrative block, or XHTML"
    )
    MALFORMED_XML = _reject(
        128, "the XML cannot be read ({detail})", "send well-formed XML without a document type that declares entities"
    )
    ATTACHMENT_NOT_FOUND = _reject(
        129,
        "the FHIR server does not hold the attachment ({detail})",
        "store the Binary before its report, then `synoptic rejected replay`",
    )
    UNROUTABLE = _reject(
        130,
        "no pack reads this report (installed: {detail})",
        "nothing, where the report is of another organ; otherwise widen `routing` in the pack's pack.yaml and replay",
    )
    ATTACHMENT_REFUSED = _reject(
        131,
        "the FHIR server does not give the attachment out ({detail})",
        "let this client read Binary there, at that very url; then `synoptic rejected replay`",
    )
    CUT_DOCUMENT = _reject(132, "the document breaks off ({detail})", "send it whole")
    TEXT_TOO_LONG = _reject(
        134,
        "the text is longer than any report ({detail})",
        "send the report alone, or raise intake.maximum_text_characters",
    )
    FORMS_CONTRADICT = _reject(
        133,
        "the presentedForms of one report say different things ({detail})",
        "send forms that say the same, as FHIR requires, or one form alone",
    )
    BAD_RESOURCES = _reject(
        401,
        "the mapping made resources that break their own rules: {detail}",
        "correct mapping.yaml; `synoptic mapping check` shows its faults; then replay the report",
    )
    MAPPING_KEPT = _retry(
        411,
        "the mapping was changed and has faults, so the one before stays in use: {detail}",
        "correct these lines; `synoptic mapping check` shows all of them; emission takes a sound file up at once",
    )
    BAD_EXPRESSION = _reject(
        412,
        "a FHIRPath of the mapping cannot be evaluated for this report: {detail}",
        "correct the expression in mapping.yaml or overlay.yaml; then replay the report",
    )
    BAD_SETTINGS = _fatal(
        601,
        "the settings have faults: {detail}",
        "correct these keys in synoptic.yaml or the environment; `synoptic config show` prints all keys",
    )
    BAD_PACK = _fatal(602, "a pack has faults: {detail}", "correct the file at that line")
    BAD_RULE_TABLE = _fatal(
        620, "a rule table has faults: {detail}", "correct the file at that line; docs/staging.md explains the format"
    )
    UNKNOWN_SITE = _fatal(621, "no stage groups for the site {detail}", "give one of these, or a table by --table")
    STAGING_OFF = _fatal(
        622,
        "AJCC's groups are switched off (mapping.anatomic_stage)",
        "switch them on where you may use them, or give a table of your own by --table",
    )
    NO_PRIVACY_KEY = _fatal(
        603,
        "privacy.key is not set, and with bus.kind {detail} every process must have the same one",
        "set SYNOPTIC_PRIVACY__KEY to the same 32 random characters or more everywhere",
    )
    BAD_PRIVACY_KEY = _fatal(
        604,
        "the privacy key cannot be used ({detail})",
        "give it at least 32 random characters, in a file that only its owner reads (chmod 600)",
    )
    NOT_SEALED_HERE = _reject(
        605,
        "the sealed part of a message cannot be opened ({detail})",
        "use the privacy.key and privacy.key_store under which it was sealed, then `synoptic rejected replay`",
    )
    MISSING_EXTRA = _fatal(
        606,
        "the library {detail} is not installed",
        "install the extra that brings it, such as synoptic-gateway[worker] or [ocr]",
    )
    NO_KEY_STORE = _fatal(
        608,
        "privacy.key_store, the file of the patients' keys, is not set, and with bus.kind {detail} all hops must share one",
        "set SYNOPTIC_PRIVACY__KEY_STORE to a file in a folder that is there and that all hops reach, such as "
        "/var/lib/synoptic-keys/patient-keys.sqlite; the first use makes the file",
    )
    ERASED = _reject(
        609,
        "the message belongs to a patient whose key was deleted, so nobody can read it any more",
        "nothing to do: `synoptic purge` erased it; what the EHR sends from now on gets a new key",
    )
    KEY_STORE_UNAVAILABLE = _retry(
        610, "the patients' keys cannot be reached ({detail})", f"have the volume of privacy.key_store back; {_GOES_ON}"
    )
    KEY_STORE_FILE = _fatal(
        612,
        "the file of the patients' keys cannot be used ({detail})",
        "correct privacy.key_store; only its owner may read the file (chmod 600)",
    )
    CANNOT_LISTEN = _fatal(
        611,
        "metrics.address and metrics.port cannot be listened on ({detail})",
        "choose a free port, end what listens there, or set metrics.port to 0 to serve nothing",
    )
    DEFECT = _fatal(
        607,
        "the program has a defect ({detail})",
        "report this line; nothing of what it was working on is printed, since it may be a report",
    )

    BAD_OVERLAY = _fatal(
        613,
        "an overlay of the mapping has faults: {detail}",
        "correct the file at that line; `synoptic mapping check FOLDER` shows all of them",
    )
    BAD_CONCEPT_MAP = _fatal(
        614, "the ConceptMap cannot be read ({detail})", "give a FHIR R4 ConceptMap as JSON; docs/mapping.md says which"
    )
    BAD_RECORDED = _fatal(
        615,
        "a file of recorded findings cannot be read ({detail})",
        "give what `synoptic mapping record` or `synoptic extract --format jsonl` wrote",
    )
    NO_CASE = _fatal(616, "there is no such case in the mapping: {detail}", "give the name of one of its cases")

    UNKNOWN_PACK = _reject(
        251, "no pack {detail} is loaded", "add it to the setting packs, then `synoptic rejected replay`"
    )
    NOT_A_REPORT_TEXT = _reject(
        252,
        "the message is not a ReportText of this schema version ({detail})",
        "let intake of the same release write the topic",
    )
    EMPTY_FOLDER = _fatal(
        751,
        "a folder holds no file that can be read as a report",
        "give files, or a folder with .json, .ndjson, .txt, .html, .rtf, .pdf or image files",
    )
    UNWRITABLE_FOLDER = _fatal(752, "the output cannot be written ({detail})", "give a folder that this user may write")
    NO_EXAMPLES = _fatal(
        753,
        "the example reports are not there",
        "run the demo in a clone of the repository, or name a folder of FHIR reports with --reports",
    )
    BAD_ANNOTATED_SET = _fatal(
        760,
        "a set of annotated identifiers cannot be read ({detail})",
        "give the file in the format that is named before it; docs/privacy.md lists the formats",
    )
    TOO_FEW_TEXTS = _fatal(
        761,
        "there are fewer texts to plant into than asked for ({detail})",
        "give more texts, or ask for fewer reports",
    )
    DATASET_EXISTS = _fatal(740, "the folder holds a dataset already", "give a new folder, or remove that one")
    BAD_DATASET = _fatal(741, "the dataset cannot be read ({detail})", "build it again with `synoptic dataset build`")
    BAD_AUDIT = _fatal(
        742,
        "the audit's sample or key cannot be read ({detail})",
        "give the file that `synoptic label audit sample` wrote, with the key beside it",
    )
    AUDIT_NOT_WRITTEN = _fatal(
        743,
        "the audit's sample cannot be written ({detail})",
        "name a new file that ends in .csv or .jsonl, in a folder that you may write",
    )
    FOLDER_IN_USE = _fatal(744, "the folder holds files that are no dataset", "give a new or an empty folder")
    BAD_TRAINING_FILE = _fatal(
        701, "a file of reports or annotations cannot be read ({detail})", "give JSON lines with the documented fields"
    )
    GOLD_WITHOUT_TEXT = _fatal(
        702, "annotations without a report text: {detail}", "give the text file that the annotations belong to"
    )
    NOTHING_TO_TRAIN_ON = _fatal(
        703,
        "no report yields a training row ({detail})",
        "check that the pack reads these reports and that they carry labels",
    )
    TRAINING_FAILED = _fatal(
        704,
        "training ended early ({detail})",
        "see log.jsonl beside the checkpoint and free memory; the same command goes on from there",
    )
    NF4_UNAVAILABLE = _fatal(
        730,
        "a backbone cannot be loaded as NF4 here ({detail})",
        "install the training extra with bitsandbytes, or use bfloat16 or float32",
    )
    RECIPE_AND_BACKBONE = _fatal(
        731,
        "recipe and backbone do not fit: {detail}",
        "give --backbone with the recipe `reference`, and any other recipe without it",
    )
    UNKNOWN_VARIANT = _fatal(
        733, "the ablation has no variant of that name: {detail}", "give names of training/ablation/variants.py"
    )
    BAD_UNLABELLED_FILE = _fatal(
        732, "a file of unlabelled text cannot be read ({detail})", "give plain text, or JSON lines with `text`"
    )
    TEXT_DIFFERS = _fatal(
        720,
        "the text is not the one that was annotated ({detail})",
        "give the texts as the benchmark's README says where they come from, unchanged",
    )
    QUOTE_DIFFERS = _fatal(
        721,
        "the words that decide a value do not stand in the text ({detail})",
        "quote the report verbatim, and leave offsets and digests as they were built",
    )
    ANNOTATED_TWICE = _fatal(722, "a patient is annotated twice ({detail})", "give one reading of each report")
    SEVERAL_TEXTS = _fatal(
        723, "an annotated patient has several texts ({detail})", "give the one text that the annotation was made of"
    )

    def __init__(self, number: int, kind: Kind, message: str, remedy: str) -> None:
        self.number = number
        self.kind = kind
        self.message = message
        self.remedy = remedy

    @property
    def label(self) -> str:
        """The stable public name, such as SYN-101."""
        return f"SYN-{self.number}"


class SynopticError(Exception):
    """An error with a number; `detail` must never hold text of a report or an identifier.

    `retry_after` is how many seconds the other side asked to be left alone, where it did.
    """

    def __init__(self, code: Code, detail: str = "", retry_after: float | None = None) -> None:
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(f"{code.label} {self.one_line()}")

    def one_line(self) -> str:
        """The message and its remedy on one line."""
        message = self.code.message.format(detail=self.detail or "no detail")
        return " ".join(f"{message}; {self.code.remedy}".split())


def fault_location(error: BaseException) -> str:
    """An exception's type and the line of code that raised it; never its text, which may quote a report."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
