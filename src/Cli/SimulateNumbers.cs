using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace LlmPipeline;

/// <summary>Options of <c>simulate</c> that are numbers within bounds, and say so when they are not.</summary>
internal static class SimulateNumbers
{
    /// <summary>A whole number.</summary>
    public static Option<long> Whole(string name, string helpName, string what, long min, long max, long otherwise) => new(name)
    {
        Description = what,
        HelpName = helpName,
        DefaultValueFactory = _ => otherwise,
        CustomParser = result => Whole(result, name, min, max) ?? otherwise,
    };

    /// <summary>A whole number, or none.</summary>
    public static Option<long?> Limit(string name, string what, string helpName = "N", long min = 1, long max = int.MaxValue) => new(name)
    {
        Description = what,
        HelpName = helpName,
        CustomParser = result => Whole(result, name, min, max),
    };

    /// <summary>A fraction.</summary>
    public static Option<double> Fraction(string name, string helpName, string what, double min, double max, double otherwise) => new(name)
    {
        Description = what,
        HelpName = helpName,
        DefaultValueFactory = _ => otherwise,
        CustomParser = result => Fraction(result, name, "", min, max),
    };

    /// <summary>A time in milliseconds.</summary>
    public static Option<double> Milliseconds(string name, string what, TimeSpan max, double otherwise = 0) => new(name)
    {
        Description = what,
        HelpName = "MS",
        DefaultValueFactory = _ => otherwise,
        CustomParser = result => Fraction(result, name, " of milliseconds", 0, max.TotalMilliseconds),
    };

    private static long? Whole(ArgumentResult result, string name, long min, long max)
    {
        var typed = result.Tokens[0].Value;
        if (long.TryParse(typed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
            return number;
        result.AddError($"{name}: '{typed}' is no whole number from {min} to {max}.");
        return null;
    }

    private static double Fraction(ArgumentResult result, string name, string unit, double min, double max)
    {
        var typed = result.Tokens[0].Value;
        if (double.TryParse(typed, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
            return number;
        result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name}: '{typed}' is no number{unit} from {min} to {max}."));
        return min;
    }
}
