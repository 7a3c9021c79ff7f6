using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>What becomes of the connection.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PlayedConnection>))]
internal enum PlayedConnection
{
    /// <summary>The answer is whole.</summary>
    [JsonStringEnumMemberName("whole")]
    Whole,

    /// <summary>It closes before the answer is whole: the length says more, or the last chunk is missing.</summary>
    [JsonStringEnumMemberName("cut")]
    Cut,

    /// <summary>Nothing is answered until the client goes away.</summary>
    [JsonStringEnumMemberName("hang")]
    Hang,

    /// <summary>It is reset before an answer.</summary>
    [JsonStringEnumMemberName("reset")]
    Reset,
}
