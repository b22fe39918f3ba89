"""The official OpenAI client against the model server, used as its documentation shows.

`run` starts the server and sets OPENAI_BASE_URL.
"""

import asyncio
import json
import unittest

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel, Field

MODEL = "portproof-planner"
QUESTION = {"role": "user", "content": "What is the price of SKU-1?"}
ITEM = {"sku": "SKU-1", "name": "Seal", "unitPrice": 42.5, "currency": "EUR"}
ANSWER = "One unit of Seal (SKU-1) costs 42.50 EUR."

PRICE = {
    "type": "function",
    "function": {
        "name": "lookup_price",
        "description": "Looks up the price of an item by its number.",
        "parameters": {
            "type": "object",
            "properties": {"sku": {"type": "string"}},
            "required": ["sku"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "find_documents",
        "description": "Searches manuals for passages.",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
    },
}
CALLED = [
    QUESTION,
    {
        "role": "assistant",
        "tool_calls": [
            {
                "id": "step-1",
                "type": "function",
                "function": {"name": "lookup_price", "arguments": '{"sku": "SKU-1"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "step-1", "content": json.dumps(ITEM)},
]


class Offer(BaseModel):
    """What a conversation about a price holds."""

    answer: str
    sku: str
    unitPrice: float


class Weather(BaseModel):
    """What no conversation here holds."""

    temperature: float
    city: str


class LookupPrice(BaseModel):
    """Looks up the price of an item by its number."""

    sku: str = Field(description="Item number")


class OpenAIClient(unittest.TestCase):
    def setUp(self):
        self.client = OpenAI(max_retries=0)
        self.addCleanup(self.client.close)

    def create(self, messages=CALLED, **more):
        return self.client.chat.completions.create(model=MODEL, messages=messages, **more)


class Models(OpenAIClient):
    def test_models_are_listed_and_each_can_be_asked_for(self):
        models = list(self.client.models.list())
        self.assertIn(MODEL, [model.id for model in models])
        for model in models:
            self.assertEqual(self.client.models.retrieve(model.id), model)
            answered = self.client.chat.completions.create(model=model.id, messages=[QUESTION])
            self.assertEqual(answered.model, "model-stable")

    def test_an_unknown_model_is_not_found(self):
        for call in (
            lambda: self.client.models.retrieve("gpt-unknown"),
            lambda: self.client.chat.completions.create(model="gpt-unknown", messages=[QUESTION]),
        ):
            with self.assertRaises(openai.NotFoundError) as raised:
                call()
            self.assertEqual((raised.exception.code, raised.exception.param), ("model_not_found", "model"))


class Chat(OpenAIClient):
    def test_a_chat_is_answered(self):
        completion = self.create()
        choice = completion.choices[0]
        self.assertEqual((choice.message.content, choice.finish_reason), (ANSWER, "stop"))
        usage = completion.usage
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        self.assertGreater(usage.completion_tokens, 0)

    def test_the_same_request_gets_the_same_answer(self):
        one, other = self.create(seed=7), self.create(seed=7)
        self.assertEqual(one, other)
        self.assertIn("seed7", one.system_fingerprint)

    def test_stop_and_token_limits_hold(self):
        stopped = self.create(stop=[" costs"]).choices[0]
        self.assertEqual((stopped.message.content, stopped.finish_reason), ("One unit of Seal (SKU-1)", "stop"))
        limited = self.create(max_completion_tokens=3)
        self.assertEqual(limited.choices[0].finish_reason, "length")
        self.assertEqual(limited.usage.completion_tokens, 3)

    def test_an_unknown_task_gets_no_invented_answer(self):
        completion = self.create([{"role": "user", "content": "Who won the cup in 1998?"}])
        self.assertEqual(completion.choices[0].message.content, "Nothing was found that answers the question.")

    def test_the_async_client_works_too(self):
        async def ask():
            async with AsyncOpenAI(max_retries=0) as client:
                whole = await client.chat.completions.create(model=MODEL, messages=CALLED)
                stream = await client.chat.completions.create(model=MODEL, messages=CALLED, stream=True)
                pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
                return whole.choices[0].message.content, "".join(pieces)

        self.assertEqual(asyncio.run(ask()), (ANSWER, ANSWER))


class Streams(OpenAIClient):
    def test_a_stream_brings_the_answer_in_pieces_and_the_usage_last(self):
        chunks = list(self.create(stream=True, stream_options={"include_usage": True}))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        pieces = [chunk.choices[0].delta.content or "" for chunk in chunks[:-1]]
        self.assertGreater(len([piece for piece in pieces if piece]), 1)
        self.assertEqual("".join(pieces), ANSWER)
        self.assertEqual(chunks[-2].choices[0].finish_reason, "stop")
        self.assertEqual((chunks[-1].choices, chunks[-1].usage), ([], self.create().usage))
        self.assertTrue(all(chunk.usage is None for chunk in chunks[:-1]))

    def test_the_stream_helper_puts_calls_and_answers_together(self):
        with self.client.chat.completions.stream(model=MODEL, messages=[QUESTION], tools=[PRICE]) as stream:
            kinds = [event.type for event in stream]
            completion = stream.get_final_completion()
        self.assertIn("tool_calls.function.arguments.delta", kinds)
        self.assertIn("tool_calls.function.arguments.done", kinds)
        call = completion.choices[0].message.tool_calls[0]
        self.assertEqual((call.id, call.function.name), ("step-1", "lookup_price"))
        self.assertEqual(json.loads(call.function.arguments), {"sku": "SKU-1"})

    def test_a_stream_can_be_left(self):
        with self.create(stream=True) as stream:
            next(iter(stream))
        self.assertEqual(self.create().choices[0].message.content, ANSWER)


class Tools(OpenAIClient):
    def test_a_tool_is_called_and_its_result_is_used(self):
        messages = [QUESTION]
        asked = self.create(messages, tools=[SEARCH, PRICE])
        self.assertEqual(asked.choices[0].finish_reason, "tool_calls")
        message = asked.choices[0].message
        self.assertIsNone(message.content)
        messages.append(message)
        for call in message.tool_calls:
            self.assertEqual(json.loads(call.function.arguments), {"sku": "SKU-1"})
            messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(ITEM)})
        answered = self.create(messages, tools=[SEARCH, PRICE]).choices[0]
        self.assertIn("42.50 EUR", answered.message.content)
        self.assertEqual(answered.finish_reason, "stop")

    def test_the_choice_of_tools_is_kept(self):
        none = self.create([QUESTION], tools=[PRICE], tool_choice="none").choices[0].message
        self.assertIsNone(none.tool_calls)
        required = self.create([QUESTION], tools=[PRICE], tool_choice="required").choices[0].message
        self.assertEqual(required.tool_calls[0].function.name, "lookup_price")
        named = {"type": "function", "function": {"name": "find_documents"}}
        oil = [{"role": "user", "content": "Which oil is in gearbox G-7?"}]
        chosen = self.create(oil, tools=[PRICE, SEARCH], tool_choice=named).choices[0].message
        self.assertEqual([call.function.name for call in chosen.tool_calls], ["find_documents"])

    def test_arguments_are_parsed_into_the_model_of_the_tool(self):
        tool = openai.pydantic_function_tool(LookupPrice, name="lookup_price")
        parsed = self.client.chat.completions.parse(model=MODEL, messages=[QUESTION], tools=[tool])
        call = parsed.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.parsed_arguments, LookupPrice(sku="SKU-1"))


class StructuredAnswers(OpenAIClient):
    def parse(self, form, **more):
        completion = self.client.chat.completions.parse(model=MODEL, messages=CALLED, response_format=form, **more)
        return completion.choices[0].message

    def test_an_answer_is_parsed_into_the_model_that_is_asked_for(self):
        self.assertEqual(self.parse(Offer).parsed, Offer(answer=ANSWER, sku="SKU-1", unitPrice=42.5))

    def test_what_the_conversation_does_not_hold_is_refused(self):
        message = self.parse(Weather)
        self.assertIsNone(message.parsed)
        self.assertIn("Weather", message.refusal)

    def test_a_cut_answer_is_the_error_the_client_has_for_it(self):
        with self.assertRaises(openai.LengthFinishReasonError):
            self.parse(Offer, max_completion_tokens=2)

    def test_json_mode_gives_an_object(self):
        content = self.create(response_format={"type": "json_object"}).choices[0].message.content
        self.assertEqual(json.loads(content), {"answer": ANSWER})

    def test_structured_streams_end_parsed(self):
        with self.client.chat.completions.stream(model=MODEL, messages=CALLED, response_format=Offer) as stream:
            message = stream.get_final_completion().choices[0].message
        self.assertEqual(message.parsed.unitPrice, 42.5)


class Errors(OpenAIClient):
    def test_bad_requests_name_the_parameter(self):
        for more, param, code in (
            ({"temperature": 3}, "temperature", "invalid_value"),
            ({"n": 2}, "n", "unsupported_parameter"),
            ({"stop": ["a"] * 5}, "stop", "invalid_value"),
            ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
            ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "invalid_type"),
            ({"messages": []}, "messages", "invalid_value"),
        ):
            with self.subTest(param=param), self.assertRaises(openai.BadRequestError) as raised:
                self.create(**more)
            error = raised.exception
            self.assertEqual((error.param, error.code, error.type), (param, code, "invalid_request_error"))

    def test_a_body_that_is_too_large_is_told_and_not_cut_off(self):
        with self.assertRaises(openai.APIStatusError) as raised:
            self.create([{"role": "user", "content": "x" * 5_000_000}])
        self.assertEqual((raised.exception.status_code, raised.exception.code), (413, "request_too_large"))

    def test_what_the_server_does_not_have_is_not_found(self):
        with self.assertRaises(openai.NotFoundError) as raised:
            self.client.embeddings.create(model=MODEL, input="x")
        self.assertEqual(raised.exception.code, "unknown_url")


if __name__ == "__main__":
    unittest.main()
