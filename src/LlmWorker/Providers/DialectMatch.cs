using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>How an error of a dialect is recognised: every field that is given must hold.</summary>
internal sealed class DialectMatch
{
    private readonly string? _message;
    private Regex? _pattern;

    /// <summary>The HTTP status, or the numeric code of an error inside a 200; null for any.</summary>
    public int? Status { get; init; }

    /// <summary>The error's <c>code</c>, whatever its JSON type; null for any.</summary>
    public string? Code { get; init; }

    /// <summary>The error's <c>type</c> (Google: <c>status</c>); null for any.</summary>
    public string? Type { get; init; }

    /// <summary>
    /// A regular expression that the error's message matches, in any case; null for any. It begins with <c>^</c>, because messages may
    /// quote prompts, and a quotation must not decide whose fault an error is.
    /// </summary>
    [JsonPropertyName("message")]
    public string? MessagePattern
    {
        get => _message;
        init
        {
            _message = value;
            if (value is null)
                return;
            if (!value.StartsWith('^'))
                throw new FormatException($"The message pattern '{value}' does not begin with ^.");
            // Linear in the length of the message, which the provider chooses.
            _pattern = new Regex(value, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.IgnoreCase);
        }
    }

    /// <summary>Whether an error is the one that is meant.</summary>
    public bool Matches(int status, string? code, string? type, string? message) =>
        (Status is null || Status == status)
        && (Code is null || Code == code)
        && (Type is null || Type == type)
        && (_pattern is null || (message is not null && _pattern.IsMatch(message)));
}
