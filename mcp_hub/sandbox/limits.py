"""What a program may use, with the defaults: the keys of `[hub.limits]` in servers.toml."""

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Bounds of one program. Every one of them holds by default and none can be switched off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wall_seconds: float = Field(60, gt=0, le=3600, description="Seconds a program may take, its calls included.")
    call_seconds: float = Field(
        30,
        gt=0,
        le=3600,
        description="Seconds that one tool call of a program may take; a server's timeout counts too.",
    )
    steps: int = Field(50_000_000, ge=1000, description="Loop iterations and calls, counted by the thousand.")
    memory_mib: int = Field(256, ge=16, le=16384, description="MiB of memory a program may use, its branches together.")
    calls: int = Field(256, ge=1, le=100_000, description="Tool calls a program may make.")
    calls_parallel: int = Field(16, ge=1, le=64, description="Tool calls of a program that may be under way at once.")
    source_bytes: int = Field(65_536, ge=256, le=1_048_576, description="Size of a program, in bytes.")
    log_bytes: int = Field(65_536, ge=0, le=1_048_576, description="What a program may print, in bytes.")
    result_characters: int = Field(
        20_000, ge=100, le=1_000_000, description="Characters of the answer; what is over is cut and counted."
    )
    value_nesting: int = Field(
        64,
        ge=4,
        le=256,
        description="Lists and dicts in each other, in an argument, in the answer, in a branch's value.",
    )
    call_depth: int = Field(200, ge=10, le=1000, description="Nested function calls.")
    programs: int = Field(8, ge=1, le=64, description="Programs that run at the same time; the rest wait in order.")
    programs_client: int = Field(4, ge=1, le=64, description="Of these, programs of one client.")
