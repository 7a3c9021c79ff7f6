using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>How <c>GET /v1/models</c> is answered while a dialect is played.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PlayedModels>))]
internal enum PlayedModels
{
    /// <summary>With the list of models.</summary>
    [JsonStringEnumMemberName("list")]
    List,

    /// <summary>With the answer that a call gets: the endpoint looks at the key first.</summary>
    [JsonStringEnumMemberName("same")]
    Same,

    /// <summary>With 404: the endpoint does not have the route.</summary>
    [JsonStringEnumMemberName("missing")]
    Missing,

    /// <summary>With 500.</summary>
    [JsonStringEnumMemberName("broken")]
    Broken,
}
