using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>The file of the table.</summary>
/// <param name="Texts">Named texts that answers of the simulator are made of.</param>
/// <param name="Dialects">The rows.</param>
internal sealed record DialectFile(JsonElement Texts, IReadOnlyList<Dialect> Dialects);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DialectFile))]
internal sealed partial class DialectJson : JsonSerializerContext;
