using System.Buffers;
using System.ClientModel.Primitives;
using System.Text.Json;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;
using Microsoft.SemanticKernel.Connectors.OpenAI;

namespace LlmPipeline;

/// <summary>Counts what rows are in tokens, without calling anybody: as a worker's quota counts the request that it makes of them.</summary>
internal sealed class RunTokens(RunPlan plan)
{
    private readonly Kernel _kernel = new();
    private readonly ArrayBufferWriter<byte> _body = new();
    private readonly OpenAIPromptExecutionSettings? _settings = plan.Function?.SettingsWith(plan.Settings).Execution as OpenAIPromptExecutionSettings;

    /// <summary>What the provider of the first calls names a model.</summary>
    public static string ProviderModel(RunPlan plan, string model) =>
        plan.Llm.For(model).OrderBy(deployment => deployment.Priority).FirstOrDefault()?.As is { Length: > 0 } name ? name : model;

    /// <summary>What the row's call will probably use.</summary>
    public async Task<RowTokens> CountAsync(InputRow row, CancellationToken cancellationToken)
    {
        var model = ProviderModel(plan, row.Model);
        if (row.Variables is null)
            return RowTokens.Of(model, row.Url, row.Body.Span);
        Write(await plan.Function!.RenderAsync(_kernel, row.Variables, cancellationToken).ConfigureAwait(false));
        return RowTokens.Of(model, null, _body.WrittenSpan);
    }

    // The request as Semantic Kernel makes it, as far as it holds tokens.
    private void Write(ChatHistory messages)
    {
        _body.ResetWrittenCount();
        using var writer = new Utf8JsonWriter(_body, new JsonWriterOptions { SkipValidation = true });
        writer.WriteStartObject();
        writer.WriteStartArray("messages");
        if (plan.Options.System is { } system)
            Write(writer, AuthorRole.System.Label, system);
        foreach (var message in messages)
            Write(writer, message.Role.Label, message.Content);
        writer.WriteEndArray();
        if (_settings?.MaxTokens is { } limit)
            writer.WriteNumber("max_tokens", limit);
        if (_settings?.ResponseFormat is { } format)
        {
            writer.WritePropertyName("response_format");
            writer.WriteRawValue(ModelReaderWriter.Write(format).ToMemory().Span, skipInputValidation: true);
        }

        foreach (var (name, value) in _settings?.ExtraBody ?? new Dictionary<string, object?>())
        {
            writer.WritePropertyName(name);
            JsonSerializer.Serialize(writer, value);
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, string role, string? text)
    {
        writer.WriteStartObject();
        writer.WriteString("role", role);
        writer.WriteString("content", text ?? "");
        writer.WriteEndObject();
    }
}
