using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>The file of the table.</summary>
internal sealed record PlayedFile(IReadOnlyDictionary<string, string> Texts, IReadOnlyList<PlayedDialect> Dialects);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(PlayedFile))]
internal sealed partial class PlayedJson : JsonSerializerContext
{
    /// <summary>Writes JSON in one line, with text as readable as providers write it.</summary>
    public static JsonWriterOptions Compact { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
