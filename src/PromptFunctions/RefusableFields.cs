using System.Collections.Frozen;
using Microsoft.SemanticKernel.Connectors.AzureOpenAI;

namespace LlmPipeline;

/// <summary>
/// The fields of a request that some models refuse, and that an answer is of the same kind without: reasoning models refuse
/// <c>temperature</c>. Fields that decide what an answer holds or costs are none of them, such as <c>n</c>, <c>stop</c>,
/// <c>logprobs</c>, <c>response_format</c> and <c>service_tier</c>.
/// </summary>
internal static class RefusableFields
{
    /// <summary>Both limit the completion; a model may know either alone.</summary>
    public const string MaxTokens = "max_tokens";

    /// <inheritdoc cref="MaxTokens"/>
    public const string MaxCompletionTokens = "max_completion_tokens";

    private static readonly FrozenDictionary<string, Field> Typed = new Dictionary<string, Field>
    {
        ["temperature"] = new(settings => settings.Temperature is not null, settings => settings.Temperature = null),
        ["top_p"] = new(settings => settings.TopP is not null, settings => settings.TopP = null),
        ["presence_penalty"] = new(settings => settings.PresencePenalty is not null, settings => settings.PresencePenalty = null),
        ["frequency_penalty"] = new(settings => settings.FrequencyPenalty is not null, settings => settings.FrequencyPenalty = null),
        ["seed"] = new(settings => settings.Seed is not null, settings => settings.Seed = null),
        ["logit_bias"] = new(settings => settings.TokenSelectionBiases is not null, settings => settings.TokenSelectionBiases = null),
        ["user"] = new(settings => settings.User is not null, settings => settings.User = null),
        ["store"] = new(settings => settings.Store is not null, settings => settings.Store = null),
    }.ToFrozenDictionary();

    private static readonly FrozenSet<string> NeverLeftOut = new[] { "n", "service_tier", MaxTokens, MaxCompletionTokens }.ToFrozenSet();

    /// <summary>Those that the settings send, by their names in the request.</summary>
    public static IEnumerable<string> Of(AzureOpenAIPromptExecutionSettings settings)
    {
        foreach (var (name, field) in Typed)
        {
            if (field.IsIn(settings))
                yield return name;
        }

        foreach (var name in settings.ExtraBody?.Keys ?? [])
        {
            if (!NeverLeftOut.Contains(name))
                yield return name;
        }

        if (settings.MaxTokens is null)
            yield break;
        yield return MaxTokens;
        yield return MaxCompletionTokens;
    }

    /// <summary>A copy of the settings without the fields.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="fields">Names in the request.</param>
    /// <returns>Null where neither name of the limit of the completion is known: a call is not sent without its limit.</returns>
    public static AzureOpenAIPromptExecutionSettings? Without(AzureOpenAIPromptExecutionSettings settings, IReadOnlySet<string> fields)
    {
        var copy = (AzureOpenAIPromptExecutionSettings)settings.Clone();
        var body = settings.ExtraBody is { } extra ? new Dictionary<string, object?>(extra) : [];
        foreach (var name in fields)
        {
            if (Typed.TryGetValue(name, out var field))
                field.Clear(copy);
            if (!NeverLeftOut.Contains(name))
                body.Remove(name);
        }

        if (settings.MaxTokens is { } limit && fields.Contains(MaxCompletionTokens))
        {
            if (fields.Contains(MaxTokens))
                return null;
            copy.MaxTokens = null;
            body[MaxTokens] = limit;
        }
        else if (fields.Contains(MaxTokens))
        {
            copy.SetNewMaxCompletionTokensEnabled = true;
        }

        copy.ExtraBody = body.Count > 0 ? body : null;
        return copy;
    }

    private sealed record Field(Func<AzureOpenAIPromptExecutionSettings, bool> IsIn, Action<AzureOpenAIPromptExecutionSettings> Clear);
}
