using System.CommandLine;
using System.Globalization;

namespace LlmPipeline;

/// <summary>How many rows may fail: a count, or a percentage.</summary>
/// <param name="Number">The count, or the percentage.</param>
/// <param name="IsPercent">Whether it is one.</param>
internal readonly record struct FailureLimit(decimal Number, bool IsPercent)
{
    // A percentage of a few rows says little.
    private const int FewRows = 20;

    /// <summary>
    /// Whether a run stops. A percentage is exceeded when more than that of all rows has failed, or of those that have ended, once 20 have.
    /// </summary>
    /// <param name="failed">Rows that have failed in this run.</param>
    /// <param name="ended">Rows that have ended in this run.</param>
    /// <param name="rows">Rows that the run calls.</param>
    public bool IsExceeded(int failed, int ended, int rows) => !IsPercent
        ? failed > Number
        : failed * 100m > Number * rows || (ended >= FewRows && failed * 100m > Number * ended);

    /// <summary>The limit as it is typed.</summary>
    public override string ToString() => Number.ToString(CultureInfo.InvariantCulture) + (IsPercent ? "%" : "");

    /// <summary>The option.</summary>
    public static Option<FailureLimit?> Option() => new("--max-failures")
    {
        Description = "Stop when more rows have failed: a count, or a percentage such as 5% of the rows that have ended (20 at least) or of all.",
        HelpName = "N|P%",
        CustomParser = result =>
        {
            var typed = result.Tokens[0].Value;
            var isPercent = typed.EndsWith('%');
            if (decimal.TryParse(isPercent ? typed[..^1] : typed, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
                && (isPercent ? number <= 100 : number == decimal.Truncate(number)))
                return new FailureLimit(number, isPercent);
            result.AddError($"--max-failures {typed}: a whole number, or a percentage such as 5%, is needed");
            return null;
        },
    };
}
