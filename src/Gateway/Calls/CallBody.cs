using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>The body of a synchronous call: it goes to the provider as it is; what the gateway itself has to know of it is read out.</summary>
/// <param name="Bytes">As received.</param>
/// <param name="Model">The model, which is the queue.</param>
/// <param name="IsStreamed">Whether the answer is to come as it is made.</param>
/// <param name="WantsUsage">Whether the stream is to end with the tokens that it took (<c>stream_options.include_usage</c>).</param>
internal sealed record CallBody(ReadOnlyMemory<byte> Bytes, string Model, bool IsStreamed, bool WantsUsage)
{
    private static readonly JsonReaderOptions Depth = new() { MaxDepth = 512 };

    // In the job's envelope, and as that is sent.
    private const int Copies = 2;

    /// <summary>Receives a body.</summary>
    /// <param name="request">The call.</param>
    /// <param name="model">The model where the path names it; null where the body does.</param>
    /// <param name="mostJobBytes">The largest job that the queue takes.</param>
    /// <param name="bytes">What the call holds.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ApiException">It is no JSON object, too large, names no model, or there is no room for it now.</exception>
    public static async Task<CallBody> ReceiveAsync(
        HttpRequest request, string? model, int mostJobBytes, CountedBytes bytes, CancellationToken cancellationToken)
    {
        var body = await RequestBytes.ReceiveAsync(
            request, RequestBytes.MostOfJob(mostJobBytes), model is null ? Copies : Copies + 1, bytes, cancellationToken);
        return Read(model is null ? body : ModelField.Set(body, model));
    }

    /// <exception cref="ApiException">It is no JSON object, or names no model.</exception>
    public static CallBody Read(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            var reader = new Utf8JsonReader(bytes.Span, Depth);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                throw ApiError.Invalid(null, "The body must be a JSON object.").Thrown();
            var body = ReadFields(ref reader, bytes);
            reader.Read();
            return body;
        }
        catch (JsonException e)
        {
            throw ApiError.Invalid(null, $"The body is not valid JSON: {e.Message}").Thrown(e);
        }
        catch (InvalidOperationException e)
        {
            throw ApiError.Invalid("model", "'model' holds half of a surrogate pair.").Thrown(e);
        }
    }

    private static CallBody ReadFields(ref Utf8JsonReader reader, ReadOnlyMemory<byte> bytes)
    {
        string? model = null;
        bool streamed = false, usage = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isModel = reader.IsText("model"u8), isStream = reader.IsText("stream"u8), isOptions = reader.IsText("stream_options"u8);
            reader.Read();
            if (isModel && model is not null)
                throw ApiError.Invalid("model", "'model' stands there twice.").Thrown();
            if (isModel)
                model = reader.TokenType == JsonTokenType.String ? reader.GetString() : throw ApiError.Invalid("model", "'model' must be a string.").Thrown();
            else if (isStream)
                streamed = reader.TokenType == JsonTokenType.True;
            else if (isOptions && reader.TokenType == JsonTokenType.StartObject)
                usage = ReadUsage(ref reader);
            reader.Skip();
        }

        if (model is null)
            throw ApiError.Invalid("model", "you must provide a model parameter", "missing_required_parameter").Thrown();
        return Names.ModelFault(model) is { } fault ? throw ApiError.Invalid("model", $"'model' {fault}.").Thrown() : new CallBody(bytes, model, streamed, usage);
    }

    private static bool ReadUsage(ref Utf8JsonReader reader)
    {
        var usage = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isUsage = reader.IsText("include_usage"u8);
            reader.Read();
            if (isUsage)
                usage = reader.TokenType == JsonTokenType.True;
            reader.Skip();
        }

        return usage;
    }
}
