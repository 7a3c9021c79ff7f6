using System.Text.Json;

namespace LlmPipeline;

/// <summary>Tells what a file holds by its first line that isn't blank.</summary>
internal static class RowKind
{
    private static readonly string[] Parameters =
    [
        "background", "best_of", "dimensions", "echo", "encoding_format", "extra_body", "frequency_penalty", "include", "input", "instructions",
        "logit_bias", "logprobs", "max_completion_tokens", "max_output_tokens", "max_tokens", "messages", "metadata", "min_p", "model", "n",
        "parallel_tool_calls", "presence_penalty", "previous_response_id", "prompt", "prompt_cache_key", "reasoning", "reasoning_effort",
        "repetition_penalty", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "suffix", "temperature",
        "text", "tool_choice", "tools", "top_k", "top_logprobs", "top_p", "truncation", "user", "verbosity",
    ];

    /// <summary>Answers what is wrong with the line, or null and the kind.</summary>
    /// <exception cref="JsonException">The line starts with a brace, but is not valid JSON.</exception>
    public static RowFault? Tell(ReadOnlySpan<byte> line, InputOptions options, out InputKind kind)
    {
        kind = InputKind.BatchLines;
        if (options.BatchEndpoint is not null) return null;
        var hasPrompt = options.PromptName is not null;
        kind = options.As switch
        {
            InputAs.Text => InputKind.Text,
            InputAs.Csv => InputKind.CsvRows,
            InputAs.Rows => InputKind.Rows,
            _ => hasPrompt ? InputKind.CsvRows : InputKind.Text,
        };
        if (options.As is InputAs.Text or InputAs.Csv) return null;
        var text = line.Trim(" \t\r"u8);
        if (text[0] == '[' && IsArray(text))
        {
            const string Message = "a JSON array; one JSON object a line is wanted (jq -c '.[]' FILE writes them so)";
            return new(null, Message, InputError.InvalidJson);
        }

        if (text[0] != '{') return options.As is null ? null : new(null, "must be a JSON object", InputError.InvalidJson);
        if (options.As == InputAs.Rows) return null;

        var fields = RowFields.Of(line);
        kind = fields.IsBatchLine ? InputKind.BatchLines : fields.IsRequest ? InputKind.Requests : InputKind.Rows;
        if (hasPrompt)
        {
            // A row may well have a field called url or body; an object as body beside an envelope's field is no coincidence.
            if (fields is { BodyIsObject: true, Envelope: > 0 })
                return new(null, $"an OpenAI Batch line holds its own prompt; leave out --prompt {options.PromptName}");
            kind = InputKind.Rows;
            return null;
        }

        if (fields.OtherApi is { } api) return new(null, $"{api}; rows go to OpenAI-shaped endpoints, as OpenAI Batch lines or bodies with messages");
        if (kind == InputKind.Rows) return DataFault(fields, null);
        if (kind == InputKind.Requests && fields.IsData(Parameters)) return DataFault(fields, fields.Text);
        if (options.System is not null) return new(null, "holds its own messages; --system is for plain text and rows");
        return options.Settings.Count > 0 ? new(null, "holds its own settings; --set is for plain text and rows") : null;
    }

    private static RowFault DataFault(RowFields fields, string? field)
    {
        // The id of a row is hardly its prompt.
        var example = field ?? fields.Names.FirstOrDefault(name => name is not ("" or "id") && RowNames.Variable(name) == name) ?? "text";
        return new(null, $"a row of data needs --prompt NAME, or --template '{{{{${example}}}}}' to send a field"
            + $" (a request would hold messages, input or prompt, and its model); its fields are {RowNames.List(fields.Names)}");
    }

    // "[INST] hello" is a prompt; "[", "[{" and whole arrays are JSON.
    private static bool IsArray(ReadOnlySpan<byte> text)
    {
        var rest = text[1..].TrimStart(" \t"u8);
        if (rest.IsEmpty || rest[0] == '{') return true;
        try
        {
            var reader = new Utf8JsonReader(text, JsonText.Strict);
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
