using System.Globalization;
using System.Text.Json.Serialization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>A file as it goes over the wire. Times are Unix seconds.</summary>
internal sealed record FileBody
{
    public required string Id { get; init; }

    public string Object => "file";

    public required long Bytes { get; init; }

    public required long CreatedAt { get; init; }

    /// <summary>Null for never, and not written then: OpenAI leaves it out, and Azure.AI.OpenAI 2.1.0 fails on a null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? ExpiresAt { get; init; }

    public required string Filename { get; init; }

    public required string Purpose { get; init; }

    /// <summary><c>uploaded</c> while it is being written, then <c>processed</c>.</summary>
    public string Status { get; init; } = "processed";

    public string? StatusDetails => null;

    /// <summary>Reads the hash of a file; null when there is none.</summary>
    public static FileBody? Read(string id, HashEntry[] hash)
    {
        if (hash.Length == 0)
            return null;
        var fields = hash.ToStringDictionary();
        return new FileBody
        {
            Id = id,
            Bytes = Number("bytes"),
            CreatedAt = Number("created_at"),
            ExpiresAt = Number("expires_at") is > 0 and var expires ? expires : null,
            Filename = fields["filename"],
            Purpose = fields["purpose"],
        };
        long Number(string name) => long.Parse(fields[name], CultureInfo.InvariantCulture);
    }
}
