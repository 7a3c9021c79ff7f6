using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>Which rows of a run fail.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FailedRows>))]
internal enum FailedRows
{
    /// <summary>None.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>Those that hold the marker of the dialect.</summary>
    [JsonStringEnumMemberName("marked")]
    Marked,

    /// <summary>All.</summary>
    [JsonStringEnumMemberName("all")]
    All,
}
