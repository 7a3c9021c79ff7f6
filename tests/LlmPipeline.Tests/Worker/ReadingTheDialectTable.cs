using System.Text;
using System.Text.RegularExpressions;

namespace LlmPipeline.Tests;

/// <summary><see cref="DialectTable"/> and the document that shows it.</summary>
public sealed partial class ReadingTheDialectTable
{
    private const string Start =
        """{"texts":{},"dialects":[{"name":"a-b","provider":"a","behaviour":"B.","source":"https://a.test/","answer":{},"expect":"""
            + """{"exit":0},""";

    public static TheoryData<string> Rows => [.. DialectTable.Default.Rows.Select(row => row.Name)];

    [Fact]
    public void Names_are_unique_in_kebab_case_and_begin_with_the_provider()
    {
        var rows = DialectTable.Default.Rows;
        Assert.True(rows.Count >= 100);
        Assert.Equal(rows.Count, rows.Select(r => r.Name).Distinct().Count());
        Assert.All(rows, row =>
        {
            Assert.Matches(Kebab(), row.Name);
            Assert.StartsWith(row.Provider + "-", row.Name, StringComparison.Ordinal);
        });
        // A name means a row or a provider, not both.
        Assert.Empty(rows.Select(r => r.Name).Intersect(rows.Select(r => r.Provider)));
    }

    [Fact]
    public void Rows_of_a_provider_are_together()
    {
        var providers = DialectTable.Default.Rows.Select(r => r.Provider).ToArray();
        var changes = providers.Zip(providers.Skip(1)).Count(p => p.First != p.Second);
        Assert.Equal(providers.Distinct().Count() - 1, changes);
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_row_has_a_source_a_sentence_and_an_expectation_that_goes_with_its_outcome(string name)
    {
        var row = Row(name);
        Assert.True(row.Source is { IsAbsoluteUri: true, Scheme: "https" }, row.Source.ToString());
        Assert.Matches(Sentence(), row.Behaviour);
        Assert.Equal(
            row.Outcome switch
            {
                DialectOutcome.Account or DialectOutcome.Model => (1, FailedRows.None),
                DialectOutcome.Row or DialectOutcome.RequestTooLarge => (3, FailedRows.Marked),
                _ => (0, FailedRows.None),
            },
            (row.Expect.Exit, row.Expect.Failed));
        Assert.Equal(row.Expect.Failed is FailedRows.Marked, row.Marker is not null && row.Outcome is not DialectOutcome.Unsupported);
        Assert.False(row.Lenient && row.Outcome is not DialectOutcome.Completion);
        Assert.False(row.Tokens is not null && row.Outcome is not DialectOutcome.Completion);
    }

    /// <summary>Else the table would contradict itself, and one provider's refinement would change what another's answer means.</summary>
    [Theory]
    [MemberData(nameof(Rows))]
    public void What_a_row_answers_is_recognised_as_what_the_row_says_or_left_to_the_general_rules(string name)
    {
        var row = Row(name);
        var answer = new DialectAnswer(row, DateTimeOffset.UnixEpoch);
        if (answer.IsOwn || answer.Connection != "whole")
            return;
        var error = answer.Error;
        var status = answer.Status(1) is var http && http == 200 && int.TryParse(error.Code, out var inside) ? inside : http;

        var found = DialectTable.Default.Find(status, error.Code, error.Type, error.Message);

        Assert.True(found is null || found.Outcome == row.Outcome, $"{name} is taken for {found?.Name}.");
        Assert.True(found is not null || row.Match is null, $"{name} does not recognise its own answer.");
    }

    /// <summary>An outcome that the table names must not be left to general rules that see something else in the same words.</summary>
    [Theory]
    [MemberData(nameof(Rows))]
    public void An_error_that_a_row_recognises_is_classified_as_the_row_says(string name)
    {
        var row = Row(name);
        var answer = new DialectAnswer(row, DateTimeOffset.UnixEpoch);
        if (row.Match is null || answer.Status(1) < 400)
            return;

        var found = Outcomes.Classify(new HttpAnswer { Status = answer.Status(1), Body = answer.Body }).Kind;

        Assert.Equal(
            row.Outcome switch
            {
                DialectOutcome.Later => OutcomeKind.Later,
                DialectOutcome.Account => OutcomeKind.AccountFault,
                DialectOutcome.Model => OutcomeKind.ModelFault,
                DialectOutcome.Row => OutcomeKind.Permanent,
                DialectOutcome.RequestTooLarge when answer.Status(1) != 429 => OutcomeKind.Permanent,
                _ => OutcomeKind.Transient,
            },
            found);
    }

    [Fact]
    public void A_text_that_quotes_an_error_is_not_taken_for_it() =>
        Assert.Null(
            DialectTable.Default.Find(
                400,
                null,
                "invalid_request_error",
                "Cannot read 'Your credit balance is too low to access the Anthropic API. Please go to Plans'."));

    [Fact]
    public void The_empty_table_recognises_nothing()
    {
        Assert.Empty(DialectTable.Empty.Rows);
        Assert.Null(DialectTable.Empty.Find(429, "insufficient_quota", null, null));
    }

    [Theory]
    [InlineData("""{"texts":{},"dialects":[{}]}""", "name")]
    [InlineData("""{"texts":{},"dialects":[],"more":1}""", "more")]
    [InlineData(Start + "\"outcome\":\"fine\"}]}", "outcome")]
    [InlineData(Start + "\"outcome\":\"row\",\"match\":{\"message\":\"quoted\"}}]}", "^")]
    [InlineData(Start + "\"outcome\":\"row\",\"match\":{\"message\":\"^(\"}}]}", "(")]
    [InlineData(Start + "\"outcome\":\"row\",\"match\":{\"mesage\":\"^a\"}}]}", "mesage")]
    public void What_is_not_as_it_must_be_is_an_error_that_says_where(string json, string says) =>
        Assert.Contains(
            says, Assert.Throws<FormatException>(() => DialectTable.Parse(Encoding.UTF8.GetBytes(json))).Message, StringComparison.Ordinal);

    [Fact]
    public void The_document_lists_every_row_with_its_source_in_the_order_of_the_file()
    {
        var listed = Repository.Read("docs/providers.md").Split('\n').Where(line => Listed().IsMatch(line)).ToArray();
        var rows = DialectTable.Default.Rows.Select(row =>
            $"| `{row.Name}` | {row.Behaviour.Replace("|", "\\|", StringComparison.Ordinal)} | {Named(row)} | "
                + $"[{row.Source.Host}]({row.Source.OriginalString}) |");
        Assert.Equal(rows, listed);
    }

    private static string Named(Dialect row) => row.Outcome switch
    {
        DialectOutcome.RequestTooLarge => "request too large",
        DialectOutcome.Completion when row.Lenient => "completion, lenient",
        DialectOutcome.Completion when row.Expect.Estimated => "completion, usage estimated",
        var outcome => outcome.ToString().ToLowerInvariant(),
    };

    private static Dialect Row(string name) => DialectTable.Default.Rows.Single(row => row.Name == name);

    [GeneratedRegex("^[a-z0-9]+(-[a-z0-9]+)+$")]
    private static partial Regex Kebab();

    [GeneratedRegex(@"^[A-Z−].*\.$")]
    private static partial Regex Sentence();

    // The names of rows are set in code in the first column of a table of four.
    [GeneratedRegex(@"^\| `[^`]+` \| .* \| .* \| \[.*\]\(http.*\) \|$")]
    private static partial Regex Listed();
}
