using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>When an answer is compressed.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PlayedEncoding>))]
internal enum PlayedEncoding
{
    /// <summary>Never.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>By gzip, whether the client accepts that or not.</summary>
    [JsonStringEnumMemberName("gzip")]
    Gzip,

    /// <summary>By gzip for clients whose Accept-Encoding names it.</summary>
    [JsonStringEnumMemberName("gzipIfAccepted")]
    GzipIfAccepted,

    /// <summary>By gzip, without a header that says so.</summary>
    [JsonStringEnumMemberName("unlabelledGzip")]
    UnlabelledGzip,
}
