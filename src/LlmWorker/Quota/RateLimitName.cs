namespace LlmPipeline;

/// <summary>
/// Which limit a rate-limit header is about, read from its name. Providers put the same words in different orders:
/// <c>x-ratelimit-limit-tokens</c> (OpenAI, Azure, Groq), <c>x-ratelimit-limit-tokens-minute</c> (Cerebras, Mistral),
/// <c>x-ratelimitbysize-remaining-minute</c> (Mistral, in tokens),
/// <c>anthropic-ratelimit-input-tokens-reset</c>, <c>x-tokenlimit-limit</c> (Together), <c>x-ratelimit-remaining-tokens-prompt</c>
/// (Fireworks),
/// <c>X-RateLimit-Reset</c> (OpenRouter, GitHub), <c>ratelimit-reset</c> (drafts of the IETF).
/// </summary>
/// <param name="Counts">What it counts: <see cref="Requests"/>, <see cref="Tokens"/>, or empty where the name leaves it open.</param>
/// <param name="Span">Per what time: <c>minute</c>, <c>day</c> …; empty where the name leaves it open.</param>
/// <param name="Which">Which of them, where not all: <c>input</c>, <c>generated</c> …; empty for all.</param>
internal readonly record struct RateLimitName(string Counts, string Span = "", string Which = "")
{
    public const string Requests = "requests";
    public const string Tokens = "tokens";

    /// <summary>For people: <c>input tokens per day</c>.</summary>
    public string Text => $"{Which} {(Counts.Length == 0 ? Requests : Counts)}{(Span.Length == 0 ? "" : $" per {Span}")}".TrimStart();

    /// <summary>Whether it is worth parsing.</summary>
    public static bool MayBe(string name) =>
        name.Contains("ratelimit", StringComparison.OrdinalIgnoreCase) || name.Contains("rate-limit", StringComparison.OrdinalIgnoreCase)
        || name.Contains("tokenlimit", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether one header holds limit, remainder and reset.</summary>
    public static bool IsCombined(string name) =>
        name.Equals("ratelimit", StringComparison.OrdinalIgnoreCase) || name.Equals("x-ratelimit", StringComparison.OrdinalIgnoreCase);

    /// <summary>The limit, and its field: <c>limit</c>, <c>remaining</c> or <c>reset</c>; null for a name with none of these.</summary>
    public static (RateLimitName Limit, string Field)? Parse(string name)
    {
        string? field = null;
        var (counts, span, which) = ("", "", "");
        var isAfterFamily = false;
        var words = name.ToLowerInvariant().Replace("rate-limit", "ratelimit", StringComparison.Ordinal).Split('-', '_');
        foreach (var word in words)
        {
            if (word is "ratelimit" or "ratelimitbysize" or "tokenlimit")
            {
                isAfterFamily = true;
                counts = word == "ratelimit" ? counts : Tokens;
                continue;
            }
            // The provider's own prefix: x, anthropic, openai …
            if (!isAfterFamily)
                continue;
            switch (word)
            {
                case "limit" or "remaining" or "reset":
                    field = word;
                    break;
                case "requests" or "request" or "req":
                    counts = Requests;
                    break;
                case "tokens" or "token":
                    counts = Tokens;
                    break;
                case "second" or "minute" or "hour" or "day" or "week" or "month" or "year":
                    span = word;
                    break;
                case "after":
                    break;
                default:
                    which = word.Length <= 16 && word.All(char.IsAsciiLetter) ? Joined(which, word) : Joined(which, "other");
                    break;
            }
        }
        return field is null ? null : (new RateLimitName(counts, span, which), field);
    }

    private static string Joined(string before, string word) => before.Length is 0 or > 32 ? word : $"{before} {word}";
}
