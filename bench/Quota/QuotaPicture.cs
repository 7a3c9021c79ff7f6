using System.Globalization;
using System.Text;

namespace LlmPipeline.Bench;

/// <summary>A run as a picture (SVG): the limit, how full the judge's minute was, and the refused calls, ours and the common way's.</summary>
internal static class QuotaPicture
{
    private const int Width = 760;
    private const int Height = 300;
    private const int Left = 60;
    private const int Bottom = 40;

    public static string Draw(QuotaResult ours, QuotaResult common)
    {
        var seconds = ours.Verdicts[^1].At;
        var most = ours.Verdicts.Max(v => v.Limit) * 1.1;
        var svg = new StringBuilder();
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" font-family="sans-serif" font-size="12">""");
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<rect width="{Width}" height="{Height}" fill="white"/>""");
        for (var second = 0; second <= seconds; second += 30)
            svg.AppendLine(CultureInfo.InvariantCulture, $"""<text x="{X(second):0}" y="{Height - 22}" text-anchor="middle">{second} s</text>""");
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<line x1="{Left}" y1="{Y(0):0}" x2="{Width - 10}" y2="{Y(0):0}" stroke="black"/>""");
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<text x="{Left - 5}" y="{Y(ours.Verdicts[0].Limit) + 4:0}" text-anchor="end">{ours.Verdicts[0].Limit:0}</text>""");
        Line(ours.Verdicts, v => v.Limit, "black", 1);
        Line(common.Verdicts, v => InMinute(common, v), "darkorange", 1.5);
        Line(ours.Verdicts, v => InMinute(ours, v), "royalblue", 2);
        Refusals(common, "darkorange");
        Refusals(ours, "royalblue");
        var what = ours.Scenario.TokensBind ? "tokens" : "requests";
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<text x="{Left}" y="14">{what} in the judge's last 60 s: <tspan fill="royalblue">LlmPipeline</tspan>, <tspan fill="darkorange">the common way</tspan>; black: the limit; ticks below: seconds with 429s</text>""");
        svg.AppendLine("</svg>");
        return svg.ToString();

        double X(double second) => Left + (second / seconds * (Width - Left - 10));

        double Y(double amount) => Height - Bottom - (amount / most * (Height - Bottom - 24));

        void Line(IEnumerable<Verdict> verdicts, Func<Verdict, double> of, string colour, double width) => svg.AppendLine(
            CultureInfo.InvariantCulture,
            $"""<polyline fill="none" stroke="{colour}" stroke-width="{width}" points="{string.Join(' ', verdicts.Select(v => string.Create(CultureInfo.InvariantCulture, $"{X(v.At):0.0},{Y(Math.Min(most, of(v))):0.0}")))}"/>""");

        void Refusals(QuotaResult result, string colour)
        {
            var y = result == ours ? Height - 8 : Height - 16;
            for (var i = 1; i < result.Verdicts.Count; i++)
                if (result.Verdicts[i].Refused > result.Verdicts[i - 1].Refused)
                    svg.AppendLine(CultureInfo.InvariantCulture, $"""<rect x="{X(result.Verdicts[i].At):0.0}" y="{y}" width="2" height="6" fill="{colour}"/>""");
        }
    }

    private static double InMinute(QuotaResult result, Verdict verdict) => result.Scenario.TokensBind ? verdict.TokensInMinute : verdict.RequestsInMinute;
}
