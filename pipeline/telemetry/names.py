"""The names used in spans, events and metrics: those of OpenTelemetry's conventions for generative AI (still in
development), those of OpenInference that Phoenix needs, and Easel's own, which begin with `easel.`."""

from __future__ import annotations

from models.specs import Stage

# Spans.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
INVOKE_WORKFLOW, CHAT, GENERATE_CONTENT, EMBEDDINGS = (
    "invoke_workflow",
    "chat",
    "generate_content",
    "embeddings",
)
DETECT, OCR = "detect", "ocr"  # the conventions have no name for these
OPERATIONS: dict[Stage, str] = {
    "text": CHAT, "image": GENERATE_CONTENT, "scorer": EMBEDDINGS, "detector": DETECT, "vlm": CHAT, "ocr": OCR,
}  # fmt: skip

WORKFLOW = "gen_ai.workflow.name"
CONVERSATION = "gen_ai.conversation.id"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
SEED = "gen_ai.request.seed"
CHOICES = "gen_ai.request.choice.count"
TEMPERATURE = "gen_ai.request.temperature"
MAX_TOKENS = "gen_ai.request.max_tokens"
OUTPUT_TYPE = "gen_ai.output.type"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
FINISH_REASONS = "gen_ai.response.finish_reasons"
ERROR_TYPE = "error.type"

# A check is an event of its attempt.
EVALUATION = "gen_ai.evaluation.result"
EVALUATION_NAME = "gen_ai.evaluation.name"
SCORE = "gen_ai.evaluation.score.value"
LABEL = "gen_ai.evaluation.score.label"
EXPLANATION = "gen_ai.evaluation.explanation"

# Texts that people wrote and models answered.
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

# OpenInference.
KIND = "openinference.span.kind"
KINDS: dict[Stage, str] = {
    "text": "LLM", "image": "LLM", "scorer": "EVALUATOR", "detector": "EVALUATOR", "vlm": "LLM", "ocr": "EVALUATOR",
}  # fmt: skip
TOKENS_PROMPT = "llm.token_count.prompt"
TOKENS_COMPLETION = "llm.token_count.completion"
LLM_MODEL = "llm.model_name"


def evaluation(number: int, what: str) -> str:
    """`what`: name, score, label or explanation of the attempt's check `number`."""
    return f"evaluations.{number}.evaluation.{what}"


# Easel's own.
STAGE = "easel.stage"
REVISION = "easel.model.revision"
DEVICE = "easel.model.device"
DTYPE = "easel.model.dtype"
STEPS = "easel.image.steps"
GUIDANCE = "easel.image.guidance"
WIDTH = "easel.image.width"
HEIGHT = "easel.image.height"
ATTEMPT = "easel.attempt"
ACTION = "easel.action"
BATCH = "easel.batch"  # number of inputs of the whole call
PART = "easel.part"  # number of inputs of this run
KEPT = "easel.kept"  # number of answers taken from kept results
SECONDS = "easel.seconds"  # this run's share of the call
JOULES = "easel.joules"
MEASURED = "easel.joules.measured"
COST = "easel.cost"
CURRENCY = "easel.cost.currency"
DEGRADED = "easel.degraded"
HANDED_UP = "easel.handed_up"  # what a smaller model left open
STATUS = "easel.status"
IMAGES = "easel.images"
TOKENS = "easel.tokens"
IMAGE_STEPS = "easel.image_steps"
CANDIDATE = "easel.candidate"
REQUIREMENT = "easel.requirement"
MUST = "easel.must"
JUDGE = "easel.judge"
BRIEF = "easel.brief"
WANT = "easel.want"
REASON = "easel.reason"

# What people decided: an event of the run for each decision, and a check by that person for each of their answers.
REVIEW = "easel.review"
DECISION = "easel.review.decision"
WHO = "easel.review.who"
DECIDED_BY = "easel.decided_by"
DECIDED_AT = "easel.decided_at"
LOOP_STATUS = "easel.loop_status"
JUDGE_LABEL = "easel.judge.label"  # beside a person's answer: what the judge found

# Exported only if CAPTURE is set: these attributes may contain text of the brief.
CONTENT = frozenset((INPUT_MESSAGES, OUTPUT_MESSAGES, EXPLANATION, BRIEF, WANT, REASON))

# Metrics.
DURATION = "gen_ai.client.operation.duration"  # s
TOKEN_USAGE = "gen_ai.client.token.usage"  # {token}
TOKEN_TYPE = "gen_ai.token.type"
WORKFLOW_DURATION = "gen_ai.workflow.duration"  # s
