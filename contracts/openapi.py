"""OpenAPI 3.1 of the vendor's API, built from the models, the table of endpoints and the journey."""

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from kycgate.contracts.flow import Endpoint
from kycgate.contracts.flows import flow
from kycgate.contracts.models import (
    ApproveFrontRequest,
    CustomerData,
    ErrorBody,
    TokenAnswer,
    TokenRequest,
    UploadRequest,
    UploadResult,
)

_MODELS = (UploadRequest, ApproveFrontRequest, TokenRequest, CustomerData, UploadResult, ErrorBody, TokenAnswer)
_MEANING = {200: "Success", 400: "BadRequest", 401: "Unauthorized", 404: "NotFound"}


def _examples(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: schema["examples"][0] for name, schema in properties.items() if schema.get("examples")}


def _schema_of(answer: Any) -> dict[str, Any]:
    if isinstance(answer, type):
        return {"$ref": f"#/components/schemas/{answer.__name__}"}
    return TypeAdapter(answer).json_schema()


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.operation_id,
        "summary": endpoint.summary,
        "tags": ["National Id" if endpoint.step else "Token"],
        "security": [{"session": []}] if endpoint.step else [],
        "responses": {},
    }
    if endpoint.request is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{endpoint.request.__name__}"}}},
        }
    elif endpoint.step is not None and endpoint.step.no_body_clause:
        operation["requestBody"] = {
            "required": False,
            "description": "None is needed; clients send a small object, which is ignored.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    for status in sorted(endpoint.statuses):
        schema = _schema_of(endpoint.answer if status == 200 else endpoint.error)
        operation["responses"][str(status)] = {
            "description": _MEANING[status],
            "content": {"application/json": {"schema": schema}},
        }
    links = {
        f"{edge.then}_next": {
            "operationId": edge.then.operation_id,
            "description": f"{edge.then} may follow once {edge.first} is done.",
        }
        for edge in flow().edges
        if edge.first == endpoint.step
    }
    if links:
        operation["responses"]["200"]["links"] = links
    return operation


def build() -> dict[str, Any]:
    """The whole document."""
    shapes = [shape for step in flow().steps for shape in (step.request, step.answer)]
    own: list[type[BaseModel]] = [shape for shape in shapes if isinstance(shape, type)]
    models: dict[type[BaseModel], None] = dict.fromkeys((*_MODELS, *flow().models, *own))
    _, definitions = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    schemas = definitions["$defs"]
    for schema in schemas.values():
        example = _examples(schema.get("properties", {}))
        if set(schema.get("required", ())) <= set(example):
            schema["examples"] = [example]
    schemas["UploadResult"]["examples"] = [
        {"isSuccess": True, "message": None, "errorCode": None, "customerData": schemas["CustomerData"]["examples"][0]}
    ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "National ID onboarding",
            "version": "1",
            "description": "The vendor's contract as kycgate judges it.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The customer's own base URL."}],
        "tags": [{"name": "National Id"}, {"name": "Token"}],
        "paths": {endpoint.path: {endpoint.method.lower(): _operation(endpoint)} for endpoint in flow().endpoints},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "A session's token, or a fixed key; bare or as `Bearer <token>`.",
                }
            },
        },
    }


def text() -> str:
    """The document as the committed openapi.json has it."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"
