using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>The shapes that go over the wire; nulls are written, but where a client refuses them.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(StateBody))]
[JsonSerializable(typeof(FileBody))]
[JsonSerializable(typeof(ListBody<FileBody>))]
[JsonSerializable(typeof(DeletedBody))]
[JsonSerializable(typeof(ModelBody))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(BatchBody))]
[JsonSerializable(typeof(ListBody<BatchBody>))]
[JsonSerializable(typeof(IReadOnlyList<BatchFault>))]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class GatewayJson : JsonSerializerContext
{
    /// <summary>Text as it is, without escapes for what HTML minds.</summary>
    public static readonly GatewayJson Wire = new(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower });
}

/// <summary><c>{"error":{…}}</c>.</summary>
internal sealed record ErrorBody(ErrorFields Error);

/// <summary>All four are always there.</summary>
internal sealed record ErrorFields(string Message, string Type, string? Param, string? Code);

/// <summary><c>{"status":"ok"}</c>, with the reason when it isn't.</summary>
internal sealed record StateBody(string Status, string? Reason = null);

/// <summary>What was deleted.</summary>
internal sealed record DeletedBody(string Id, string Object, bool Deleted);

/// <summary>A page of a list.</summary>
internal sealed record ListBody<T>(IReadOnlyList<T> Data, string? FirstId, string? LastId, bool HasMore)
{
    public string Object => "list";
}
