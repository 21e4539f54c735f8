"""Which scenarios of the conformance suite can't pass, each with the reason; every other one must pass.

A scenario is listed when it fails or when it checks nothing. All of its failures must be of the reason's kind, so
that a scenario which fails in part is still held to the rest. One that passes after all must be taken out.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why a scenario doesn't apply."""

    why: str
    sign: str
    """What every failure's `check: message` must match."""


EXAMPLE_TOOL = Reason(
    "it calls a tool of the suite's example server; the hub has its four only, and says so",
    r"There is no tool '|Tool '\w+' not found|: Not testable: server does not list the diagnostic tool",
)
ASKS_FOR_INPUT = Reason(
    "it wants a tool that asks its client for input; none of the four does",
    r"There is no tool '|Expected InputRequiredResult|could not get initial InputRequiredResult",
)
CUSTOM_HEADERS = Reason(
    "it wants a tool whose parameters are mirrored in HTTP headers; none of the four has one",
    r"Not testable: server exposes no tool with x-mcp-header annotations",
)
NOT_DECLARED = Reason(
    "it is about resources, prompts, completion or logging, which the hub neither has nor declares",
    r"Method not found",
)
RESUMING = Reason(
    "it only warns: the hub keeps no events, so a broken stream can't be resumed, which is optional",
    r"^$",
)
TASKS = Reason(
    "it is about the extension for tasks, which the hub doesn't declare",
    r"There is no tool '|got -32601|Not testable: no task was created|capabilities\.extensions MUST|from Check 2"
    r"|failing_job returned error code -32602",
)
SKILLS = Reason("it is about the extension for skills, which the hub doesn't declare, so nothing is checked", r"^$")

SERVER: Mapping[str, Reason] = {
    "tools-call-simple-text": EXAMPLE_TOOL,
    "tools-call-image": EXAMPLE_TOOL,
    "tools-call-audio": EXAMPLE_TOOL,
    "tools-call-embedded-resource": EXAMPLE_TOOL,
    "tools-call-mixed-content": EXAMPLE_TOOL,
    "tools-call-error": EXAMPLE_TOOL,
    "tools-call-with-progress": EXAMPLE_TOOL,
    "json-schema-2020-12": EXAMPLE_TOOL,
    "server-stateless": EXAMPLE_TOOL,
    "tools-call-sampling": ASKS_FOR_INPUT,
    "tools-call-elicitation": ASKS_FOR_INPUT,
    "elicitation-sep1034-defaults": ASKS_FOR_INPUT,
    "elicitation-sep1330-enums": ASKS_FOR_INPUT,
    "input-required-result-basic-elicitation": ASKS_FOR_INPUT,
    "input-required-result-basic-sampling": ASKS_FOR_INPUT,
    "input-required-result-basic-list-roots": ASKS_FOR_INPUT,
    "input-required-result-request-state": ASKS_FOR_INPUT,
    "input-required-result-multiple-input-requests": ASKS_FOR_INPUT,
    "input-required-result-multi-round": ASKS_FOR_INPUT,
    "input-required-result-missing-input-response": ASKS_FOR_INPUT,
    "input-required-result-result-type": ASKS_FOR_INPUT,
    "input-required-result-tampered-state": ASKS_FOR_INPUT,
    "input-required-result-capability-check": ASKS_FOR_INPUT,
    "input-required-result-ignore-extra-params": ASKS_FOR_INPUT,
    "http-custom-header-server-validation": CUSTOM_HEADERS,
    "input-required-result-non-tool-request": NOT_DECLARED,
    "tools-call-with-logging": NOT_DECLARED,
    "logging-set-level": NOT_DECLARED,
    "completion-complete": NOT_DECLARED,
    "caching": NOT_DECLARED,
    "resources-list": NOT_DECLARED,
    "resources-read-text": NOT_DECLARED,
    "resources-read-binary": NOT_DECLARED,
    "resources-templates-read": NOT_DECLARED,
    "resources-subscribe": NOT_DECLARED,
    "resources-unsubscribe": NOT_DECLARED,
    "prompts-list": NOT_DECLARED,
    "prompts-get-simple": NOT_DECLARED,
    "prompts-get-with-args": NOT_DECLARED,
    "prompts-get-embedded-resource": NOT_DECLARED,
    "prompts-get-with-image": NOT_DECLARED,
    "server-sse-polling": RESUMING,
    "tasks-lifecycle": TASKS,
    "tasks-capability-negotiation": TASKS,
    "tasks-wire-fields": TASKS,
    "tasks-request-state-removal": TASKS,
    "tasks-mrtr-input": TASKS,
    "tasks-request-headers": TASKS,
    "tasks-dispatch-and-envelope": TASKS,
    "tasks-status-notifications": TASKS,
    "tasks-required-task-error": TASKS,
    "tasks-mrtr-composition": TASKS,
    "sep-2640-skills-directory": SKILLS,
    "sep-2640-skills-enumeration": SKILLS,
    "sep-2640-skills-manifest": SKILLS,
}

NO_OAUTH = Reason(
    "it is about OAuth; the hub sends the headers of its servers.toml, and tells of a server that refuses them",
    r"Expected Check Missing|[Cc]lient did not|[Cc]lient never|MUST include resource parameter|MUST re-register",
)
NO_INPUT = Reason(
    "it wants a client that answers a server's questions; the hub has nobody to ask",
    r"Elicitation not supported|Tool was not called by client",
)
NO_SKILLS = Reason("it is about the extension for skills, which the hub doesn't use, so nothing is checked", r"^$")

CLIENT: Mapping[str, Reason] = {
    "auth/metadata-default": NO_OAUTH,
    "auth/metadata-var1": NO_OAUTH,
    "auth/metadata-var2": NO_OAUTH,
    "auth/metadata-var3": NO_OAUTH,
    "auth/basic-cimd": NO_OAUTH,
    "auth/scope-from-www-authenticate": NO_OAUTH,
    "auth/scope-from-scopes-supported": NO_OAUTH,
    "auth/scope-omitted-when-undefined": NO_OAUTH,
    "auth/scope-step-up": NO_OAUTH,
    "auth/scope-retry-limit": NO_OAUTH,
    "auth/token-endpoint-auth-basic": NO_OAUTH,
    "auth/token-endpoint-auth-post": NO_OAUTH,
    "auth/token-endpoint-auth-none": NO_OAUTH,
    "auth/pre-registration": NO_OAUTH,
    "auth/2025-03-26-oauth-metadata-backcompat": NO_OAUTH,
    "auth/2025-03-26-oauth-endpoint-fallback": NO_OAUTH,
    "auth/resource-mismatch": NO_OAUTH,
    "auth/offline-access-scope": NO_OAUTH,
    "auth/offline-access-not-supported": NO_OAUTH,
    "auth/authorization-server-migration": NO_OAUTH,
    "auth/iss-supported": NO_OAUTH,
    "auth/iss-not-advertised": NO_OAUTH,
    "auth/iss-supported-missing": NO_OAUTH,
    "auth/iss-wrong-issuer": NO_OAUTH,
    "auth/iss-unexpected": NO_OAUTH,
    "auth/iss-normalized": NO_OAUTH,
    "auth/metadata-issuer-mismatch": NO_OAUTH,
    "auth/client-credentials-jwt": NO_OAUTH,
    "auth/client-credentials-basic": NO_OAUTH,
    "auth/enterprise-managed-authorization": NO_OAUTH,
    "auth/dpop": NO_OAUTH,
    "auth/dpop-nonce": NO_OAUTH,
    "auth/wif-jwt-bearer": NO_OAUTH,
    "elicitation-sep1034-client-defaults": NO_INPUT,
    "sep-2322-client-request-state": NO_INPUT,
    "sep-2640-client-no-prefetch": NO_SKILLS,
    "sep-2640-client-verify-digest": NO_SKILLS,
    "sep-2640-client-verify-size": NO_SKILLS,
    "sep-2640-client-verify-frontmatter": NO_SKILLS,
}
