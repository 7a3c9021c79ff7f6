using System.CommandLine;
using System.Globalization;

namespace LlmPipeline;

/// <summary>The option <c>--dialect</c> of <c>simulate</c>.</summary>
internal static class SimulateDialects
{
    private const string Name = "--dialect";

    /// <summary>The option.</summary>
    public static Option<SimulatorDialect[]?> Option() => new(Name)
    {
        Description = "Answer as real providers were reported to: rows of docs/providers.md, or a provider for all its rows, "
            + "separated by commas; repeatable. With a share the other calls are answered as usual: openrouter=0.3,exo-nan-logprob=0.1.",
        HelpName = "NAME[=SHARE]",
        CustomParser = result =>
        {
            var dialects = new List<SimulatorDialect>();
            foreach (var item in result.Tokens.SelectMany(token => token.Value.Split(',', StringSplitOptions.TrimEntries)))
            {
                var parts = item.Split('=', 2);
                if (parts is [var name])
                {
                    dialects.Add(new(name));
                }
                else if (double.TryParse(parts[1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var share))
                {
                    dialects.Add(new(parts[0], share));
                }
                else
                {
                    result.AddError($"{Name}: the share in '{item}' is no number from 0 to 1.");
                    return null;
                }
            }
            return [.. dialects];
        },
    };
}
