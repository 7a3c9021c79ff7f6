using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>A condition on the credentials or the model of a call.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PlayedCalls>))]
internal enum PlayedCalls
{
    /// <summary>All.</summary>
    [JsonStringEnumMemberName("all")]
    All,

    /// <summary>Calls whose key is not the simulator's; all, where it accepts any.</summary>
    [JsonStringEnumMemberName("wrongKey")]
    WrongKey,

    /// <summary>Calls whose model is not served; all, where every name is.</summary>
    [JsonStringEnumMemberName("unknownModel")]
    UnknownModel,
}
