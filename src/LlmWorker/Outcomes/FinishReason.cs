using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// What a <c>finish_reason</c> says, whoever wrote it. OpenAI has five; others add to them: DeepSeek <c>insufficient_system_resource</c>,
/// Zhipu <c>network_error</c> and <c>sensitive</c>, watsonx <c>cancelled</c> and <c>time_limit</c>, vLLM and SGLang <c>abort</c>, Mistral
/// <c>model_length</c>, and gateways pass on those of Anthropic, Google, Cohere and Bedrock in upper or lower case. A name that is not
/// known ends an answer like any other.
/// </summary>
internal static partial class FinishReason
{
    /// <summary>Whether the answer ends at a limit on its length.</summary>
    public static bool IsCutOff(string? reason) => reason is not null && CutOff().IsMatch(reason);

    /// <summary>Whether the provider's filter or the model itself ended the answer, which may have no message then.</summary>
    public static bool IsRefused(string? reason) => reason is not null && Refused().IsMatch(reason);

    /// <summary>Whether the provider broke off the answer for a reason of its own, so that another call may bring the whole.</summary>
    public static bool IsFailure(string? reason) =>
        reason is not null && !IsCutOff(reason) && !IsRefused(reason) && Failure().IsMatch(reason);

    private const RegexOptions Options = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant;

    [GeneratedRegex(
        "^(?:max_?)?(?:model_)?(?:length|(?:output_|completion_|new_)?tokens?)$|^error_limit$|context_(?:window|length)|time_?limit", Options)]
    private static partial Regex CutOff();

    [GeneratedRegex("filter|refus|safety|sensitive|toxic|moderat|guardrail|blocklist|prohibited|recitation|^spii$", Options)]
    private static partial Regex Refused();

    [GeneratedRegex(
        "error|fail|abort|cancel|insufficient|interrupt|timeout|timed_?out|unavailable|overload|malformed|disconnect"
        + "|exception|expire", Options)]
    private static partial Regex Failure();
}
